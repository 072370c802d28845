import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { ImageDescription, imagePaths, STANDALONE_PORT } from "@slipway/api";
import { Value } from "typebox/value";
import type { BlobStore } from "../../platform/blob-store/blob-store.ts";
import { tarMembers } from "../../platform/tar-members.ts";
import { mediaTypes, type Registry } from "../../registry/index.ts";
import { layerInvalid } from "../../registry/remote/index.ts";
import { type ImagePlan, MODELS_FOLDER, type PlannedFile, type PlannedModel } from "../image.ts";
import { imageNotWhole } from "../image-errors.ts";
import { importedImageIncomplete } from "./import-errors.ts";
import { refuseIn, storedFiles } from "./import-layers.ts";
import type { ImportedLayer, ImportedManifest } from "./import-manifest.ts";

export interface ImportedContents {
  readonly plan: ImagePlan;
  /** digest of the layer; null for an image without Python of its own */
  readonly environmentLayer: string | null;
}

interface ContentsReading {
  readonly registry: Pick<Registry, "findLayer">;
  readonly blobs: BlobStore;
}

const APP_ROOT = `${imagePaths.appRoot.slice(1)}/`;
const DESCRIPTION = imagePaths.description.slice(1);
const MAX_DESCRIPTION_BYTES = 1024 * 1024;
const MODEL_PATH = /^([A-Za-z0-9._-]{1,255})\/([1-9][0-9]{0,8})\/(.+)$/;

/**
 * Finds in the layers what a build would have been given: models, code and the driver, each file by its digest. All layers are
 * known to the registry.
 *
 * @param reference for messages
 * @throws {AppError} ImportedImageIncomplete, LayerInvalid
 */
export async function readContents(
  deps: ContentsReading,
  reference: string,
  { layers }: ImportedManifest,
  signal: AbortSignal,
): Promise<ImportedContents> {
  const { runtime } = await readDescription(deps, reference, layers, signal);
  const models: PlannedModel[] = [];
  for (const layer of ofKind(layers, "model")) models.push(...(await modelsIn(deps, layer, signal)));
  const nothing = { condaFile: null, pipRequirements: null, dockerSteps: null };
  if (runtime.kind === "onnx") {
    const plan: ImagePlan = { runtime: "onnx", models, code: [], driver: null, ...nothing };
    const graphs = models.filter(({ files }) => files.some(({ path }) => path.toLowerCase().endsWith(".onnx")));
    if (graphs.length === 0) throw importedImageIncomplete(reference, "none of its models has an .onnx file");
    return { plan, environmentLayer: null };
  }
  const environment = ofKind(layers, "environment").at(-1);
  // What Docker steps copied lies in a layer below.
  const codeLayer = ofKind(layers, "code").at(-1);
  if (environment === undefined || codeLayer === undefined) {
    throw importedImageIncomplete(reference, "it has a script, but no layer with its code or its environment");
  }
  const code = await codeIn(deps, codeLayer, signal);
  const driver = runtime.entryScript;
  if (!code.some(({ path }) => path === driver)) {
    throw importedImageIncomplete(reference, `its script ${JSON.stringify(driver)} is not among its files`);
  }
  plainTar(environment);
  return { plan: { runtime: "python", models, code, driver, ...nothing }, environmentLayer: environment.digest };
}

const ofKind = (layers: readonly ImportedLayer[], kind: string) => layers.filter((layer) => layer.kind === kind);

function plainTar({ digest, kind, mediaType }: ImportedLayer): void {
  if (mediaType !== mediaTypes.layer)
    throw layerInvalid(digest, `a layer of kind ${kind} is plain tar, and this is ${mediaType}`);
}

/** `/opt/slipway/image.json`: what the scorer in the image runs. */
async function readDescription(
  deps: ContentsReading,
  reference: string,
  layers: readonly ImportedLayer[],
  signal: AbortSignal,
): Promise<ImageDescription> {
  const layer = ofKind(layers, "configuration").at(-1);
  if (layer === undefined) {
    throw importedImageIncomplete(
      reference,
      `it was built without a base, so it has no scorer and no ${imagePaths.description}`,
    );
  }
  plainTar(layer);
  const refuse = refuseIn(layer.digest);
  for await (const member of tarMembers(await stored(deps, layer), refuse, signal)) {
    if (member.path !== DESCRIPTION || member.kind !== "file") continue;
    const content = await text(Readable.from(upTo(member.bytes, MAX_DESCRIPTION_BYTES, layer.digest)));
    const description = parse(content);
    if (Value.Check(ImageDescription, description)) return description;
    throw layerInvalid(layer.digest, `its member ${DESCRIPTION} is no description of an image`);
  }
  throw importedImageIncomplete(reference, `it has no ${imagePaths.description}`);
}

/** One layer has one model, unless somebody put several into it. */
async function modelsIn(deps: ContentsReading, layer: ImportedLayer, signal: AbortSignal): Promise<PlannedModel[]> {
  const models = new Map<
    string,
    { readonly name: string; readonly version: number; readonly files: PlannedModel["files"][number][] }
  >();
  for await (const { path, digest, sizeBytes } of filesOf(deps, layer, signal)) {
    const inFolder = path.startsWith(`${APP_ROOT}${MODELS_FOLDER}/`);
    const [, name = "", version = "", file = ""] =
      (inFolder && MODEL_PATH.exec(path.slice(APP_ROOT.length + MODELS_FOLDER.length + 1))) || [];
    if (file === "" || name === "." || name === "..") throw refuseIn(layer.digest)(path, "is no file of a model");
    const id = `${name}:${version}`;
    const model = models.get(id) ?? { name, version: Number(version), files: [] };
    model.files.push({ path: file, digest, sizeBytes });
    models.set(id, model);
  }
  for (const { files } of models.values()) checkPaths(layer, files);
  return [...models].map(([id, model]) => ({ id, ...model }));
}

async function codeIn(deps: ContentsReading, layer: ImportedLayer, signal: AbortSignal): Promise<PlannedFile[]> {
  plainTar(layer);
  const code: PlannedFile[] = [];
  for await (const { path, digest, sizeBytes, executable } of storedFiles(
    deps,
    layer.digest,
    await stored(deps, layer),
    signal,
  )) {
    if (!path.startsWith(APP_ROOT) || path.startsWith(`${APP_ROOT}${MODELS_FOLDER}/`)) {
      throw refuseIn(layer.digest)(path, "is no file of code");
    }
    const file = { path: path.slice(APP_ROOT.length), digest, sizeBytes, unpack: false };
    code.push(executable ? { ...file, executable } : file);
  }
  checkPaths(layer, code);
  return code;
}

/** Two members of one name, or one below a file, could not lie side by side in a folder. */
function checkPaths({ digest }: ImportedLayer, files: readonly { readonly path: string }[]): void {
  const taken = new Set<string>();
  for (const { path } of files) {
    if (taken.has(path)) throw refuseIn(digest)(path, "comes twice");
    taken.add(path);
  }
  for (const path of taken) {
    for (let end = path.indexOf("/"); end !== -1; end = path.indexOf("/", end + 1)) {
      if (taken.has(path.slice(0, end))) throw refuseIn(digest)(path, "lies below a file");
    }
  }
}

/** The files of a model's layer: as the registry knows them, else out of the layer. */
async function* filesOf(deps: ContentsReading, layer: ImportedLayer, signal: AbortSignal) {
  plainTar(layer);
  const source = (await deps.registry.findLayer(layer.digest))?.source;
  if (source?.type === "files") {
    for (const { name, digest, sizeBytes } of source.files) yield { path: name, digest, sizeBytes };
  } else {
    yield* storedFiles(deps, layer.digest, await stored(deps, layer), signal);
  }
}

async function stored({ blobs }: ContentsReading, { digest, kind }: ImportedLayer): Promise<AsyncIterable<Uint8Array>> {
  if (!(await blobs.has(digest))) throw imageNotWhole(`layer of kind ${kind}`, digest);
  return blobs.read(digest);
}

async function* upTo(bytes: AsyncIterable<Uint8Array>, limit: number, digest: string): AsyncIterable<Uint8Array> {
  let size = 0;
  for await (const chunk of bytes) {
    size += chunk.length;
    if (size > limit) throw layerInvalid(digest, `its member ${DESCRIPTION} has more than ${limit} bytes`);
    yield chunk;
  }
}

function parse(content: string): unknown {
  try {
    return JSON.parse(content);
  } catch {
    return undefined;
  }
}

/** Set by every build, or found out anew where the image runs. */
const OWN_VARIABLES: Readonly<Record<string, string | undefined>> = {
  LANG: "C.UTF-8",
  PYTHONUNBUFFERED: "1",
  PYTHONDONTWRITEBYTECODE: "1",
  HOME: "/tmp",
  SLIPWAY_PORT: String(STANDALONE_PORT),
  AML_APP_ROOT: undefined,
  AZUREML_MODEL_DIR: undefined,
};

/** The user's variables, and those of the base, which cannot be told from them. */
export function userVariables(all: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const isOwn = (name: string, value: string) =>
    Object.hasOwn(OWN_VARIABLES, name) && (OWN_VARIABLES[name] ?? value) === value;
  const { PATH: path = "", ...others } = all;
  // A build puts the environment's programs in front.
  const userPath = path.startsWith(`${imagePaths.environment}/bin:`)
    ? path.slice(imagePaths.environment.length + 5)
    : "";
  return {
    ...Object.fromEntries(Object.entries(others).filter(([name, value]) => !isOwn(name, value))),
    ...(userPath !== "" && { PATH: userPath }),
  };
}
