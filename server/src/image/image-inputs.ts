import type { Artifact, ArtifactReader } from "../artifact/index.ts";
import type { Model, ModelReader } from "../model/index.ts";
import {
  type Image,
  type ImageAsset,
  type ImagePlan,
  MODELS_FOLDER,
  type PlannedFile,
  type PlannedModel,
} from "./image.ts";
import { assetInvalid, driverMissing, modelEmpty, nothingToRun, scriptNeeded } from "./image-errors.ts";
import { parseDockerSteps } from "./steps/docker-steps.ts";

export interface InputReaders {
  readonly artifacts: ArtifactReader;
  readonly models: ModelReader;
}

const MAX_TEXT_BYTES = 1024 * 1024;

/** What must be right before anything is started: models that exist, and something that runs. @throws {AppError} */
export async function checkRequest(
  readers: InputReaders,
  image: Pick<Image, "workspaceId" | "modelIds" | "driverProgram" | "assets">,
): Promise<void> {
  const models = await Promise.all(image.modelIds.map((id) => readers.models.get(image.workspaceId, id)));
  if (image.driverProgram === null) {
    if (image.assets.length > 0) throw driverMissing(null, []);
    for (const model of models) onnxOnly(model, (await planModel(readers.models, model)).files);
    if (models.length === 0) throw nothingToRun();
  }
}

/**
 * Finds everything that the image is made from and fixes it by digest.
 *
 * @throws {AppError} ModelNotFound, ModelEmpty, ArtifactNotFound, ArtifactNotUploaded, AssetInvalid, DriverMissing, ScriptNeeded, DockerStepInvalid,
 * DockerStepUnsupported, RunStepNeedsEngine
 */
export async function planImage(readers: InputReaders, image: Image): Promise<ImagePlan> {
  await checkRequest(readers, image);
  const models: PlannedModel[] = [];
  for (const id of image.modelIds) {
    models.push(await planModel(readers.models, await readers.models.get(image.workspaceId, id)));
  }
  const { condaEnvFile, pipRequirements } = image.targetRuntime.properties;
  const text = async (uri: unknown) =>
    typeof uri === "string" && uri !== "" ? readers.artifacts.readText(image.workspaceId, uri, MAX_TEXT_BYTES) : null;
  const code = (await Promise.all(image.assets.map((asset) => planAsset(readers.artifacts, image, asset)))).flat();
  return {
    runtime: image.driverProgram === null ? "onnx" : "python",
    models,
    code: code.map(({ file }) => file),
    driver: driverPath(image, code),
    condaFile: image.condaFile ?? (await text(condaEnvFile)),
    pipRequirements: await text(pipRequirements),
    dockerSteps: await readSteps(readers, image),
  };
}

/** The Docker steps of a request, uploaded or in it, checked. @throws {AppError} DockerStepInvalid, DockerStepUnsupported, RunStepNeedsEngine */
export async function readSteps(
  { artifacts }: InputReaders,
  { workspaceId, targetRuntime }: Pick<Image, "workspaceId" | "targetRuntime">,
): Promise<string | null> {
  const { dockerFileUri, dockerSteps } = targetRuntime.properties;
  const isUploaded = typeof dockerFileUri === "string" && dockerFileUri !== "";
  const uploaded = isUploaded ? await artifacts.readText(workspaceId, dockerFileUri, MAX_TEXT_BYTES) : "";
  const text = typeof dockerSteps === "string" ? dockerSteps : uploaded;
  if (text.trim() === "") return null;
  parseDockerSteps(text);
  return text;
}

async function planModel(reader: ModelReader, model: Model): Promise<PlannedModel> {
  const files = await reader.files(model);
  if (files.every((file) => file.sizeBytes === 0)) throw modelEmpty(model.id);
  return {
    id: model.id,
    name: model.name,
    version: model.version,
    files: files.map(({ path, digest, sizeBytes }) => ({ path, digest, sizeBytes })),
  };
}

function onnxOnly(model: Model, files: PlannedModel["files"]): void {
  const isOnnx = model.framework.toLowerCase() === "onnx" || files.every((file) => file.path.endsWith(".onnx"));
  const graphs = files.filter((file) => file.path.endsWith(".onnx"));
  if (!isOnnx || graphs.length !== 1) throw scriptNeeded(model.id, model.framework);
}

interface PlannedAsset {
  readonly id: string;
  readonly file: PlannedFile;
}

async function planAsset(reader: ArtifactReader, image: Image, asset: ImageAsset): Promise<PlannedAsset[]> {
  const found = await reader.resolve(image.workspaceId, asset.url);
  if (asset.unpack && found.length !== 1) throw assetInvalid(asset.id, "is a folder and cannot be unpacked");
  return found.map((artifact) => ({ id: asset.id, file: plannedFile(asset, artifact) }));
}

function plannedFile(asset: ImageAsset, { path, digest, sizeBytes }: Artifact): PlannedFile {
  if (path === MODELS_FOLDER || path.startsWith(`${MODELS_FOLDER}/`))
    throw assetInvalid(asset.id, `lies in ${MODELS_FOLDER}/, where the models are put`);
  return { path, digest, sizeBytes, unpack: asset.unpack };
}

/** The driver is an asset by its id (the genuine client) or a file by its path in an archive. */
function driverPath(image: Image, code: readonly PlannedAsset[]): string | null {
  if (image.driverProgram === null) return null;
  const asset = code.find(({ id, file }) => id === image.driverProgram && !file.unpack);
  const path = asset?.file.path ?? image.driverProgram;
  const archived = code.some(({ file }) => file.unpack);
  const reachable = asset !== undefined || code.some(({ file }) => !file.unpack && file.path === path) || archived;
  const inside = /^(?!\/)(?!(.*\/)?\.\.?(\/|$))[^\\\u0000-\u001f]+\.py$/.test(path);
  if (!reachable || !inside) throw driverMissing(image.driverProgram, [...new Set(code.map(({ id }) => id))]);
  return path;
}
