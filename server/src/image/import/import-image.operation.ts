import { rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { defineOperation, need, operationCancelled, type StepContext } from "../../operation/index.ts";
import type { BlobStore } from "../../platform/blob-store/blob-store.ts";
import { openFileBlobStore } from "../../platform/blob-store/file-blob-store.ts";
import { AppError, ifFound } from "../../platform/errors.ts";
import type { Descriptor, Registry, Repository } from "../../registry/index.ts";
import { imageName, parseImageReference, type RemoteRegistries, referenceTarget } from "../../registry/remote/index.ts";
import type { SecretBox } from "../../secret/index.ts";
import type { AppFolders } from "../app-folder.ts";
import { endState } from "../build-image.operation.ts";
import { type BuiltImage, IMPORTED_FROM, type Image, type PlannedModel, type RegistryCredentials } from "../image.ts";
import { architectureOf } from "../image-architecture.ts";
import type { InputReaders } from "../image-inputs.ts";
import { type ImageStore, parseImageId } from "../image-store.ts";
import { type ImportedContents, readContents, userVariables } from "./import-contents.ts";
import { type LayerEnvironmentDependencies, layerEnvironment } from "./import-environment.ts";
import { importTooLarge } from "./import-errors.ts";
import { megabytes, missingLayers, takeLayers } from "./import-layers.ts";
import { type ImportedManifest, readImportedManifest } from "./import-manifest.ts";
import { type FetchedProof, fetchProofs, knownProofs } from "./import-proofs.ts";

export const IMAGE_IMPORT = "image.import";

export interface ImportImageInput {
  /** `name:version` that it gets here */
  readonly imageId: string;
  readonly linkSecret: string;
  /** where it comes from, written out in full */
  readonly reference: string;
  /** sealed {@link RegistryCredentials}; null: anybody may pull there */
  readonly credentials: string | null;
}

export interface ImportImageState {
  readonly found: ImportedManifest;
  readonly fetched: readonly FetchedProof[];
  readonly contents: ImportedContents;
  readonly environment: LaidOutEnvironment | null;
}

interface LaidOutEnvironment {
  readonly root: string;
  /** X.Y */
  readonly pythonMinor: string | null;
  readonly warning: string | null;
}

export interface ImportImageDependencies extends LayerEnvironmentDependencies, Pick<InputReaders, "models"> {
  readonly store: ImageStore;
  readonly registry: Registry;
  readonly blobs: BlobStore;
  readonly remote: RemoteRegistries;
  readonly secrets: SecretBox;
  readonly folders: AppFolders;
  /** for models on their way; on the same file system as the blobs */
  readonly folder: string;
}

type Context = StepContext<ImportImageInput, ImportImageState>;

const MINUTE_MS = 60_000;

/**
 * Takes an image that Slipway built out of a registry elsewhere. What came is checked before anything here names it, and the image
 * can be pulled and deployed only when all of it is there. What is here already is not fetched, so a repeated step is cheap.
 */
export function importImageOperation(deps: ImportImageDependencies) {
  const { store, registry, blobs, remote, secrets, folders } = deps;

  async function imageOf({ workspaceId, input }: Context): Promise<Image> {
    const image = await store.find(workspaceId, input.imageId);
    // Somebody deleted it under the import.
    if (image === undefined) throw operationCancelled();
    return image;
  }

  function source({ reference, credentials }: ImportImageInput) {
    const login = credentials === null ? undefined : (JSON.parse(secrets.open(credentials)) as RegistryCredentials);
    return remote.open(parseImageReference(reference), login);
  }

  const scratchFolder = ({ operationId }: Context) => join(deps.folder, operationId);

  async function checkSpace({ input }: Context, bytes: number): Promise<void> {
    const { bavail, bsize } = await statfs(deps.folder);
    if (bytes > bavail * bsize) throw importTooLarge(input.reference, bytes, bavail * bsize);
  }

  /** Of the models that are in the image, those that are registered here with the same files. */
  async function registeredModels(workspaceId: string, models: readonly PlannedModel[]): Promise<string[]> {
    const same = await Promise.all(
      models.map(async (planned) => {
        const model = await ifFound(deps.models.get(workspaceId, planned.id));
        return model !== undefined && filesKey(await deps.models.files(model)) === filesKey(planned.files);
      }),
    );
    return models.filter((_, index) => same[index]).map(({ id }) => id);
  }

  async function putStored(repository: Repository, tag: string | undefined, { digest, mediaType }: Descriptor) {
    await registry.putImage(repository, tag, await buffer(Readable.from(blobs.read(digest))), mediaType);
  }

  /** A document that this registry does not take is no reason to do without the image. */
  async function attach(repository: Repository, { descriptor, artifactType }: FetchedProof, { say }: Context) {
    try {
      await putStored(repository, undefined, descriptor);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      say(`Warning: a document beside the image (${artifactType}) was left out: ${error.message}`);
    }
  }

  return defineOperation<ImportImageInput, ImportImageState>({
    kind: IMAGE_IMPORT,
    version: 1,
    steps: [
      {
        name: "read manifest",
        timeoutMs: 10 * MINUTE_MS,
        async run(context) {
          const { input, signal, say } = context;
          const image = await imageOf(context);
          await store.setState(context.workspaceId, image.id, "Running", null);
          const { architecture } = architectureOf(image.targetRuntime.targetArchitecture);
          const target = referenceTarget(parseImageReference(input.reference));
          const platform = { os: "linux", architecture };
          const read = await readImportedManifest(source(input), input.reference, target, platform, signal);
          for (const bytes of [read.manifestBytes, read.configBytes])
            await blobs.put(Readable.from([bytes]), { signal });
          const { described } = read;
          say(
            `${input.reference} is ${described.manifest.digest}, ${described.layers.length} layers for ${architecture}.`,
          );
          return { found: described };
        },
      },
      {
        name: "fetch layers",
        timeoutMs: 4 * 60 * MINUTE_MS,
        async run(context) {
          const { layers } = need(context.state, "found");
          const scratch = await openFileBlobStore(scratchFolder(context));
          const missing = await missingLayers(deps, layers);
          const bytes = missing.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
          context.say(`${missing.length} of ${layers.length} layers are to be fetched: ${megabytes(bytes)} MB.`);
          await checkSpace(context, bytes);
          await takeLayers({ registry, blobs, scratch, repository: source(context.input) }, missing, context);
          return undefined;
        },
      },
      {
        name: "fetch documents",
        timeoutMs: 20 * MINUTE_MS,
        async run(context) {
          const { digest } = need(context.state, "found").manifest;
          const fetched = await fetchProofs(source(context.input), blobs, digest, context);
          if (fetched.length > 0) context.say(`${fetched.length} documents lie beside the image.`);
          return { fetched };
        },
      },
      {
        name: "read contents",
        timeoutMs: 60 * MINUTE_MS,
        async run(context) {
          const found = need(context.state, "found");
          const contents = await readContents(deps, context.input.reference, found, context.signal);
          const { models, driver } = contents.plan;
          context.say(
            `It has ${models.map(({ id }) => id).join(", ") || "no model"}${driver === null ? "" : ` and ${driver}`}.`,
          );
          return { contents };
        },
      },
      {
        name: "lay out",
        timeoutMs: 60 * MINUTE_MS,
        async run(context) {
          const { plan, environmentLayer } = need(context.state, "contents");
          await folders.layOut(plan, context.signal);
          if (environmentLayer === null) return { environment: null };
          const laid = await layerEnvironment(deps, context.input.imageId, environmentLayer, context);
          const warning = laid.runs ? null : noInterpreter(laid.pythonMinor);
          if (warning !== null) context.say(`Warning: ${warning}`);
          return { environment: { root: laid.root, pythonMinor: laid.pythonMinor ?? null, warning } };
        },
      },
      {
        name: "write manifest",
        timeoutMs: 10 * MINUTE_MS,
        async run(context) {
          const { name, version } = await imageOf(context);
          const repository: Repository = { workspaceId: context.workspaceId, name };
          await putStored(repository, String(version), need(context.state, "found").manifest);
          for (const proof of need(context.state, "fetched")) await attach(repository, proof, context);
          return undefined;
        },
      },
      {
        name: "mark ready",
        timeoutMs: MINUTE_MS,
        async run(context) {
          const { workspaceId, input, state } = context;
          const image = await imageOf(context);
          const { plan, environmentLayer } = need(state, "contents");
          const found = need(state, "found");
          const { digest } = found.manifest;
          const { environment = null } = state;
          const { proofs, lockDigest, python } = await knownProofs(need(state, "fetched"), blobs, digest);
          const place = placeOf(input.reference, digest);
          const built: BuiltImage = {
            plan,
            environmentRoot: environment?.root ?? null,
            environmentId: environmentLayer?.replace("sha256:", "") ?? null,
            environmentRequest: null,
            ...{ lockDigest, proofs },
            architecture: found.architecture,
            base: found.base,
            imported: { place, environmentLayer },
          };
          await store.setContents(workspaceId, image.id, {
            modelIds: await registeredModels(workspaceId, plan.models),
            driverProgram: plan.driver,
            environmentVariables: userVariables(found.variables),
          });
          const properties = { ...image.properties, ...importProperties(found, plan.models, environment, python) };
          const ready = await store.markReady(workspaceId, image.id, {
            ...{ digest, built },
            contentKey: folders.key(plan),
            properties: { ...properties, [IMPORTED_FROM]: place },
          });
          if (!ready) throw operationCancelled();
          await rm(scratchFolder(context), { recursive: true, force: true });
          context.say(`Image ${image.id} is ready: ${digest}.`);
          return undefined;
        },
      },
    ],

    async failed(context, error) {
      const { workspaceId, input } = context;
      context.say(`The import ended: ${error.message}`);
      const { code, message, details } = error;
      await store.setState(workspaceId, input.imageId, endState(error), { code, message, details });
      await rm(scratchFolder(context), { recursive: true, force: true });
      const image = await store.find(workspaceId, input.imageId);
      if (image?.state === "Succeeded") return;
      const { name, version } = parseImageId(input.imageId);
      await registry.removeTag({ workspaceId, name }, String(version));
    },
  });
}

function placeOf(reference: string, digest: string): string {
  const { host, repository } = parseImageReference(reference);
  return imageName({ host, repository, digest });
}

function importProperties(
  { base }: ImportedManifest,
  models: readonly PlannedModel[],
  environment: LaidOutEnvironment | null,
  python: string | null,
): Record<string, string> {
  const minor = environment?.pythonMinor ?? null;
  // The provenance is right about the release only if it is about this environment.
  const release = minor !== null && python?.startsWith(`${minor}.`) === true ? python : minor;
  return {
    ...(base !== null && { "slipway.base": `${base.reference}@${base.digest}` }),
    ...(models.length > 0 && { "slipway.models": models.map(({ id }) => id).join(" ") }),
    ...(release !== null && { "slipway.python": release }),
    ...(environment?.warning && { "slipway.warnings": environment.warning }),
  };
}

function noInterpreter(minor: string | undefined): string {
  return minor === undefined
    ? "The image's environment has no Python, so it runs in containers only."
    : `Python ${minor} is not installed here, so the image runs in containers only. Install it and deploy again.`;
}

function filesKey(files: PlannedModel["files"]): string {
  return JSON.stringify(files.map(({ path, digest }) => `${path} ${digest}`).sort());
}
