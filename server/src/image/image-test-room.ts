import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { createGzip } from "node:zlib";
import { type Header, pack } from "tar-stream";
import { type ArtifactTables, artifactMigration, createArtifactService, openUploads } from "../artifact/index.ts";
import { createEnvironmentService, createImportedEnvironments } from "../environment/index.ts";
import { createModelService, type ModelTables, modelMigration } from "../model/index.ts";
import {
  createOperationRunner,
  createOperationStore,
  type OperationTables,
  operationMigration,
} from "../operation/index.ts";
import { openFileBlobStore } from "../platform/blob-store/file-blob-store.ts";
import { systemClock } from "../platform/clock.ts";
import { migrateToLatest } from "../platform/database/migrate.ts";
import { openSqlite } from "../platform/database/sqlite.ts";
import { engineFinder } from "../platform/engine/find-engine.ts";
import { ownLimits } from "../platform/engine/own-limits.ts";
import { newHexId } from "../platform/ids.ts";
import { silentLog } from "../platform/log.ts";
import { detectIsolation } from "../platform/sandbox.ts";
import {
  createRegistry,
  type RegistryTables,
  registryMigration,
  registryNamespace,
  registryPushMigration,
} from "../registry/index.ts";
import { createRemoteRegistries } from "../registry/remote/index.ts";
import { createSecretBox } from "../secret/index.ts";
import { createWorkspaceService, type WorkspaceTables, workspaceMigration } from "../workspace/index.ts";
import { createAppFolders } from "./app-folder.ts";
import { createBaseCredentials } from "./base/base-credentials.ts";
import { createBaseResolver } from "./base/base-resolver.ts";
import { type BaseTables, baseCredentialsMigration, baseMigration } from "./base/base-tables.ts";
import { buildImageOperation } from "./build-image.operation.ts";
import type { ImageAsset } from "./image.ts";
import { createImagePusher } from "./image-push.ts";
import { createImageService } from "./image-service.ts";
import { createImageStore } from "./image-store.ts";
import { type ImageTables, imageMigration } from "./image-tables.ts";
import { createImageImporter } from "./import/image-import.ts";
import { importImageOperation } from "./import/import-image.operation.ts";
import { type EnvironmentContentsTables, environmentContentsMigration } from "./proof/environment-contents-tables.ts";
import { createImageProofs } from "./proof/image-proofs.ts";
import { pushImageOperation } from "./push-image.operation.ts";
import { createRuntimeTrees } from "./runtime/runtime-tree.ts";
import { createStepLayers } from "./steps/docker-steps-layers.ts";
import { createStepEngine } from "./steps/run-step-engine.ts";

type Tables = ArtifactTables &
  BaseTables &
  EnvironmentContentsTables &
  ImageTables &
  ModelTables &
  OperationTables &
  RegistryTables &
  WorkspaceTables;

const REGISTRY_HOST = "slipway.test:8443";

export type ImageTestRoom = Awaited<ReturnType<typeof openImageTestRoom>>;

/** The real rooms below images, on a database in memory and a temporary folder; only services, which come above, are left out. */
export async function openImageTestRoom(
  options: {
    readonly env?: Readonly<Record<string, string | undefined>>;
    readonly cacheFolder?: string;
    readonly ca?: readonly string[];
    /** how long a registry may say nothing */
    readonly silenceMs?: number;
    /** `unix://…` of a container engine; none if not given */
    readonly engine?: string;
    readonly stepMs?: number;
  } = {},
) {
  const folder = await mkdtemp(join(tmpdir(), "slipway-image-"));
  const database = openSqlite<Tables>(":memory:");
  await migrateToLatest(database, {
    "1": workspaceMigration,
    "2": operationMigration,
    "3": artifactMigration,
    "4": modelMigration,
    "5": registryMigration,
    "5a": registryPushMigration,
    "6": imageMigration,
    "6a": environmentContentsMigration,
    "6b": baseMigration,
    "6c": baseCredentialsMigration,
  });
  const clock = systemClock;
  const blobs = await openFileBlobStore(join(folder, "blobs"));
  const workspaces = createWorkspaceService(database, clock);
  const workspace = await workspaces.ensureDefault();
  const uploads = await openUploads({ database, clock, blobs, directory: join(folder, "uploads") });
  const artifacts = createArtifactService({ database, clock, blobs, uploads });
  const users: string[] = [];
  const models = createModelService({ database, clock, artifacts, usersOf: async () => [] });
  const registry = createRegistry({ database, clock, blobs });
  const { signal } = new AbortController();
  const environments = createEnvironmentService({
    folder: join(folder, "environments"),
    cacheFolder: options.cacheFolder ?? join(folder, "cache"),
    env: options.env ?? process.env,
    isolation: await detectIsolation({
      probeCommand: ["/bin/true"],
      reach: [folder],
      hidden: [],
      kinds: ["none"],
      signal,
    }),
    log: silentLog,
  });
  const importedEnvironments = createImportedEnvironments({ folder: join(folder, "environments"), env: process.env });
  const folders = createAppFolders(join(folder, "images"), blobs);
  const store = createImageStore(database);
  const proofs = createImageProofs({ database, blobs, registry, version: "0.1.0" });
  // Only what tests put into registries of this machine is found, and that nothing else is there is known at once.
  const env = { HTTPS_PROXY: "http://127.0.0.1:9", NO_PROXY: "localhost" };
  const { ca = [], silenceMs = 30_000 } = options;
  const remote = createRemoteRegistries({ clock, env, ca, silenceMs });
  const bases = createBaseResolver({
    ...{ database, clock, blobs, registry },
    remote,
    registryHost: REGISTRY_HOST,
    findNamespace: async () => ({ id: workspace.id, namespace: registryNamespace(workspace.name) }),
  });
  const secrets = createSecretBox(randomBytes(32));
  const baseCredentials = createBaseCredentials(database, secrets);
  const runtimes = createRuntimeTrees({
    folder: join(folder, "runtimes"),
    cacheFolder: join(tmpdir(), "slipway-test-node"),
    env: process.env,
  });
  const stepEngine = createStepEngine({
    findEngine: engineFinder({
      address: options.engine ?? "unix:///nonexistent/engine.sock",
      env: {},
      file: join(folder, "engine.json"),
    }),
    folder: join(folder, "docker-steps"),
    network: "none",
    limits: await ownLimits(),
    log: silentLog,
    ...(options.stepMs !== undefined && { stepMs: options.stepMs }),
  });
  const steps = createStepLayers({ database, clock, store, registry, blobs, folders, engine: stepEngine });
  const build = buildImageOperation({
    ...{ store, registry, blobs, folders, environments, bases, baseCredentials, runtimes, proofs, artifacts, models },
    steps,
  });
  const operations = createOperationStore(database, clock);
  const push = pushImageOperation({ store, registry, remote, secrets });
  const importing = importImageOperation({
    ...{ store, registry, blobs, remote, secrets, folders, models, importedEnvironments },
    folder: join(folder, "blobs", "imports"),
  });
  const runner = createOperationRunner(operations, [build, push, importing], silentLog);
  const pusher = createImagePusher({ store, runner, secrets });
  const importer = createImageImporter({ store, runner, secrets, clock });
  const images = createImageService({
    ...{ database, clock, blobs, registry, environments, folders, runner, operations, artifacts, models },
    ...{ baseCredentials, importedEnvironments },
    steps,
    usersOf: async () => users,
    findWorkspace: workspaces.byId,
    registryHost: REGISTRY_HOST,
  });

  /** Uploads a file as a client does, and gives its address. */
  async function upload(path: string, bytes: Uint8Array | string): Promise<string> {
    const [reserved] = await artifacts.reserve(workspace.id, "LocalUpload", newHexId().slice(0, 8), [{ path }]);
    if (reserved === undefined) throw new Error("Nothing was reserved.");
    const { uploadId, id } = reserved.artifact;
    const grant = { uploadId, stagingArea: uploadId, announcedDigest: undefined };
    await uploads.put(grant, Readable.from([Buffer.from(bytes)]), {}, { onlyIfNew: true });
    return `aml://artifact/${id}`;
  }

  return {
    ...{ folder, database, blobs, workspace, artifacts, models, registry, environments, folders, store, build, proofs },
    ...{ operations, runner, images, upload, baseCredentials, bases, pusher, importer, remote, stepEngine },
    /** what is to be said of who uses any image */
    users,

    async asset(id: string, path: string, bytes: Uint8Array | string, unpack = false): Promise<ImageAsset> {
      return { id, url: await upload(path, bytes), mimeType: "application/octet-stream", unpack };
    },

    async registerModel(name: string, file: string, bytes: Uint8Array | string, framework = "Custom") {
      const prefix = (await upload(file, bytes)).slice("aml://artifact/".length);
      const asset = await models.createAsset(workspace.id, name, [{ prefix }], null);
      return models.register(
        workspace.id,
        {
          ...{ name, framework, url: `aml://asset/${asset.id}`, mimeType: "application/json", unpack: false },
          ...{ tags: {}, properties: {}, datasets: [], sampleInputData: null, sampleOutputData: null },
          ...{ description: null, frameworkVersion: null, experimentName: null, runId: null, parentModelId: null },
          resourceRequirements: null,
        },
        null,
      );
    },

    async built(imageId: string) {
      const image = await images.get(workspace.id, imageId);
      await runner.waitForEnd(workspace.id, image.operationId, AbortSignal.timeout(120_000));
      return images.get(workspace.id, imageId);
    },

    async close() {
      await runner.stop();
      remote.close();
      await database.destroy();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A `.tar.gz` of the given members, in this order, with whatever headers a test needs. */
export async function tarGz(
  members: readonly (Partial<Header> & { readonly name: string; readonly content?: string | Uint8Array })[],
): Promise<Buffer> {
  const tar = pack();
  for (const { content, ...header } of members) tar.entry(header, Buffer.from(content ?? ""));
  tar.finalize();
  return buffer(Readable.from(tar as AsyncIterable<Buffer>).pipe(createGzip()));
}

/** A driver as generated ones work: it loads a script by its path beside itself. */
export const wrapperDriver = (script: string) => `import importlib.util, os
place = os.path.join(os.path.dirname(os.path.realpath(__file__)), '${script}')
spec = importlib.util.spec_from_file_location('user_script', place)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
init, run = module.init, module.run
`;
