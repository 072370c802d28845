import { createArtifactService, openUploads } from "../artifact/index.ts";
import {
  createEnvironmentService,
  createImportedEnvironments,
  defaultCacheFolder,
  type EnvironmentService,
} from "../environment/index.ts";
import {
  buildImageOperation,
  createAppFolders,
  createBaseCredentials,
  createBaseResolver,
  createImageImporter,
  createImageInspector,
  createImageProofs,
  createImagePusher,
  createImageService,
  createImageStore,
  createRuntimeTrees,
  createStepEngine,
  createStepLayers,
  type ImageService,
  type ImageUsers,
  importImageOperation,
  pushImageOperation,
} from "../image/index.ts";
import { createModelService, type ModelService } from "../model/index.ts";
import type { OperationRunner } from "../operation/index.ts";
import { ownLimits } from "../platform/engine/own-limits.ts";
import type { Isolation } from "../platform/sandbox.ts";
import { registryNamespace } from "../registry/index.ts";
import type { Data } from "./data.ts";
import type { Installation } from "./installation.ts";
import type { RegistryParts } from "./registry.ts";

export interface ImagePartsSurroundings {
  readonly registry: RegistryParts;
  readonly isolation: Isolation;
  readonly runner: OperationRunner;
  /** services stand above images: what they use is told from outside */
  readonly usersOf: ImageUsers;
}

/** From uploaded files to images: artifacts, models, environments, bases, and how they become layers. */
export async function openImages(
  installation: Installation,
  data: Data,
  { registry: { registry, remote }, isolation, runner, usersOf }: ImagePartsSurroundings,
) {
  const { config, layout, clock, registryHost, env, version, findEngine, log } = installation;
  const { database, blobs, secretBox, workspaces, operations } = data;
  const uploads = await openUploads({ database, clock, blobs, directory: layout.uploads });
  const artifacts = createArtifactService({ database, clock, blobs, uploads });
  const models: ModelService = createModelService({
    database,
    clock,
    artifacts,
    usersOf: (workspaceId, id) => images.usersOfModel(workspaceId, id),
  });
  const environments = openEnvironments(installation, isolation);
  const folders = createAppFolders(layout.images, blobs);
  const baseCredentials = createBaseCredentials(database, secretBox);
  const proofs = createImageProofs({ database, blobs, registry, version });
  const store = createImageStore(database);
  const importedEnvironments = createImportedEnvironments({ folder: layout.environments, env });
  const parts = { blobs, registry, artifacts, models, environments, importedEnvironments, folders, baseCredentials };
  const stepEngine = createStepEngine({
    findEngine,
    folder: layout.dockerSteps,
    network: config.containerNetwork,
    limits: await ownLimits(),
    log,
  });
  void stepEngine.tidy();
  const steps = createStepLayers({ ...parts, store, database, clock, engine: stepEngine });
  const images: ImageService = createImageService({
    ...parts,
    steps,
    database,
    clock,
    runner,
    operations,
    usersOf,
    findWorkspace: workspaces.byId,
    registryHost,
  });
  const bases = createBaseResolver({
    database,
    clock,
    blobs,
    registry,
    remote,
    registryHost,
    defaultReference: config.baseImage,
    async findNamespace(namespace) {
      const candidates = namespace === undefined ? [data.defaultWorkspace] : await workspaces.list();
      return candidates
        .map(({ id, name }) => ({ id, namespace: registryNamespace(name) }))
        .find((one) => namespace === undefined || one.namespace === namespace);
    },
  });
  const cacheFolder = config.cacheFolder ?? defaultCacheFolder(env);
  const runtimes = createRuntimeTrees({ folder: layout.runtimes, cacheFolder, env });
  return {
    artifacts,
    uploads,
    models,
    images,
    inspector: createImageInspector({ database, registry, folders, proofs }),
    pusher: createImagePusher({ store, runner, secrets: secretBox }),
    importer: createImageImporter({ store, runner, secrets: secretBox, clock }),
    definitions: [
      buildImageOperation({ ...parts, store, bases, runtimes, steps, proofs }),
      pushImageOperation({ store, registry, remote, secrets: secretBox }),
      importImageOperation({ ...parts, store, remote, secrets: secretBox, folder: layout.imports }),
    ],
  };
}

export type ImageParts = Awaited<ReturnType<typeof openImages>>;

function openEnvironments({ config, layout, env, log }: Installation, isolation: Isolation): EnvironmentService {
  const { prepare } = createEnvironmentService({
    folder: layout.environments,
    cacheFolder: config.cacheFolder,
    env,
    isolation,
    log,
    conda: { channelAlias: config.condaChannelAlias, channelMirrors: config.condaChannelMirror },
  });
  return { prepare: (request, context) => prepare({ ...request, strictPython: config.strictPython }, context) };
}
