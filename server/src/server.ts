import { createHash } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import type { Server as HttpsServer } from "node:https";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { scorerMain } from "@slipway/scoring";
import {
  createCertificateFiles,
  createPrincipalService,
  createTokenIssuer,
  fingerprint,
  newSigningKey,
} from "./access/index.ts";
import { createArtifactService, createUploadAddresses, openUploads, unnamedArtifacts } from "./artifact/index.ts";
import { computeTargets } from "./compute/index.ts";
import { type Config, dataLayout } from "./config.ts";
import { createEnvironmentService, defaultCacheFolder, type EnvironmentService } from "./environment/index.ts";
import { buildHttpApp } from "./http-app.ts";
import {
  buildImageOperation,
  buildLogUrl,
  createAppFolders,
  createBaseCredentials,
  createBaseResolver,
  createImageInspector,
  createImageProofs,
  createImagePusher,
  createImageService,
  createImageStore,
  createRuntimeTrees,
  describeImageBuild,
  describeImagePush,
  IMAGE_BUILD,
  IMAGE_PUSH,
  type ImageService,
  pushImageOperation,
  readImageBlobs,
} from "./image/index.ts";
import { certificateHosts, gatewayUrl, hostToListenOn, listen } from "./listening.ts";
import { migrations, type Tables } from "./migrations.ts";
import { createModelService, type ModelService, unnamedAssets } from "./model/index.ts";
import { createOperationRunner, createOperationStore, type OperationDefinition } from "./operation/index.ts";
import { writeFileAtomically } from "./platform/atomic-file.ts";
import { openFileBlobStore } from "./platform/blob-store/file-blob-store.ts";
import { detectCgroups } from "./platform/cgroup.ts";
import { systemClock } from "./platform/clock.ts";
import { migrateToLatest } from "./platform/database/migrate.ts";
import { openSqlite } from "./platform/database/sqlite.ts";
import { AppError, ifFound } from "./platform/errors.ts";
import { type ExclusiveLock, tryLock } from "./platform/exclusive-lock.ts";
import { newSecret, newUuid } from "./platform/ids.ts";
import type { Log } from "./platform/log.ts";
import { detectIsolation } from "./platform/sandbox.ts";
import {
  collectGarbageOperation,
  createCollectionSchedule,
  createGarbageStore,
  createRegistry,
  createRegistryAccounts,
  describeCollection,
  GARBAGE_COLLECTION,
  openBlobUploads,
  type Repository,
  registryNamespace,
} from "./registry/index.ts";
import { createRemoteRegistries } from "./registry/remote/index.ts";
import { createSecretBox, createSecretStore, loadKeyFile } from "./secret/index.ts";
import {
  createServiceRoom,
  createServiceStore,
  describeServiceOperations,
  serviceUsersOfImage,
} from "./service/index.ts";
import { createContainerTarget, engineFinder, ownLimits, ownUser } from "./target/container/index.ts";
import { createProcessTarget } from "./target/process/index.ts";
import { createWorkspaceService } from "./workspace/index.ts";

/** What the process gives the server; everything else is in the data folder. */
export interface ServerSurroundings {
  readonly log: Log;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly pid: number;
  readonly parentPid: number;
  /** Node, and its own options, for scorers */
  readonly execPath: string;
  readonly execArgv: readonly string[];
  /** certificates and the gateway's configuration are written */
  prepared(): void;
}

export interface Server {
  readonly url: string;
  /** sentences for the person who started it */
  readonly notices: readonly string[];
  /** Lets go of operations and closes; services keep running unless told otherwise. */
  stop(options: { readonly stopServices: boolean }): Promise<void>;
}

const VERSION = "0.1.0";
/** A predecessor that is just ending lets go within seconds. */
const LOCK_PATIENCE_MS = 10_000;
const RENEWAL_CHECK_MS = 3_600_000;

/**
 * The composition root: builds stores, services, targets, operations and the HTTP application by hand, top to bottom.
 *
 * @throws {AppError} in words for the person who started it: folder in use, newer data, port in use, damaged key
 */
export async function startServer(config: Config, surroundings: ServerSurroundings): Promise<Server> {
  const { log } = surroundings;
  const clock = systemClock;
  const layout = dataLayout(config.dataFolder);
  const publicUrl = config.publicUrl ?? `https://localhost:${config.port}`;
  const startedAt = clock.now().toISOString();
  await mkdir(layout.state, { recursive: true, mode: 0o700 });

  const lock = await lockDataFolder(layout.lock);
  const database = openSqlite<Tables>(layout.database);
  await migrateToLatest(database, migrations);

  const box = createSecretBox(await loadKeyFile(layout.keyFile));
  const secrets = createSecretStore(database, box, clock);
  const tenantId = await secrets.getOrCreate("tenant-id", newUuid);
  const tokens = await createTokenIssuer(await secrets.getOrCreate("token-key", newSigningKey), tenantId, clock);
  const identitySecret = await secrets.getOrCreate("identity-address", newSecret);
  const uploadKey = await secrets.getOrCreate("upload-key", newSecret);
  const principals = createPrincipalService(database, clock);
  const workspaces = createWorkspaceService(database, clock);
  await workspaces.ensureDefault();

  const isolation = await detectIsolation({
    probeCommand: ["python3", "-c", ""],
    reach: [layout.environments, layout.images],
    hidden: [config.dataFolder],
    signal: AbortSignal.timeout(60_000),
  });
  const listenHost = hostToListenOn(publicUrl, isolation.kind === "none");
  const certificates = createCertificateFiles({
    folder: layout.tls,
    hosts: certificateHosts(publicUrl),
    secrets: box,
    clock,
    log,
  });
  await certificates.ensure();
  await writeFileAtomically(
    layout.gatewayConfig,
    `${JSON.stringify({
      folder: layout.gateway,
      host: listenHost,
      port: config.gatewayPort,
      certificateFile: certificates.files.certificateFile,
      keyFile: certificates.files.keyFile,
      nameCertificateFile: certificates.files.nameCertificateFile,
      allowOpen: config.allowOpen,
    })}\n`,
  );
  surroundings.prepared();

  const blobs = await openFileBlobStore(layout.blobs);
  const uploads = await openUploads({ database, clock, blobs, directory: layout.uploads });
  const artifacts = createArtifactService({ database, clock, blobs, uploads });
  const addresses = createUploadAddresses({ publicUrl: () => publicUrl, signingKey: Buffer.from(uploadKey), clock });

  const operations = createOperationStore(database, clock);
  const definitions: OperationDefinition[] = [];
  const runner = createOperationRunner(operations, definitions, log);

  const models: ModelService = createModelService({
    database,
    clock,
    artifacts,
    usersOf: (workspaceId, id) => images.usersOfModel(workspaceId, id),
  });
  const { prepare } = createEnvironmentService({
    folder: layout.environments,
    cacheFolder: config.cacheFolder,
    env: surroundings.env,
    isolation,
    log,
    conda: { channelAlias: config.condaChannelAlias, channelMirrors: config.condaChannelMirror },
  });
  const environments: EnvironmentService = {
    prepare: (request, context) => prepare({ ...request, strictPython: config.strictPython }, context),
  };
  const registry = createRegistry({ database, clock, blobs });
  const registryAccounts = createRegistryAccounts({ database, secrets, workspaces });
  const { registryQuota } = config;
  const registryUploads = await openBlobUploads({
    database,
    clock,
    blobs,
    directory: layout.registryUploads,
    quotaBytes: registryQuota === undefined ? undefined : Math.round(registryQuota * 1024 ** 3),
  });
  const folders = createAppFolders(layout.images, blobs);
  const cacheFolder = config.cacheFolder ?? defaultCacheFolder(surroundings.env);
  const runtimes = createRuntimeTrees({ folder: layout.runtimes, cacheFolder, env: surroundings.env });
  const remote = createRemoteRegistries({ clock, env: surroundings.env, insecure: config.insecureRegistry });
  const bases = createBaseResolver({
    database,
    clock,
    blobs,
    registry,
    remote,
    registryHost: new URL(publicUrl).host,
    defaultReference: config.baseImage,
    async findNamespace(namespace) {
      const candidates = namespace === undefined ? [await workspaces.ensureDefault()] : await workspaces.list();
      return candidates
        .map(({ id, name }) => ({ id, namespace: registryNamespace(name) }))
        .find((one) => namespace === undefined || one.namespace === namespace);
    },
  });
  const baseCredentials = createBaseCredentials(database, box);
  const proofs = createImageProofs({ database, blobs, registry, version: VERSION });
  const inspector = createImageInspector({ database, registry, folders, proofs });
  const serviceStore = createServiceStore(database, clock);
  const imageStore = createImageStore(database);
  const images: ImageService = createImageService({
    database,
    clock,
    blobs,
    artifacts,
    models,
    registry,
    environments,
    folders,
    baseCredentials,
    runner,
    operations,
    usersOf: serviceUsersOfImage(serviceStore),
    findWorkspace: workspaces.byId,
    registryHost: new URL(publicUrl).host,
  });

  const processTarget = createProcessTarget({
    folder: layout.run,
    isolation,
    pythonPackageFolder: dirname(fileURLToPath(import.meta.resolve("@slipway/python/package.json"))),
    nodePath: surroundings.execPath,
    execArgv: surroundings.execArgv,
    scorerMain,
    cgroups: await detectCgroups({ group: ["slipway", dataFolderKey(config.dataFolder)] }),
    legacyStatusCodes: config.legacyStatusCodes,
    timeZone: surroundings.env.TZ,
    clock,
    log,
  });
  const containerTarget = createContainerTarget({
    folder: layout.containers,
    findEngine: engineFinder({
      address: config.containerEngine,
      env: surroundings.env,
      file: join(layout.containers, "engine.json"),
    }),
    findBlobs: (bundle) => readImageBlobs(registry, bundle),
    installation: dataFolderKey(config.dataFolder),
    nodePath: surroundings.execPath,
    execArgv: surroundings.execArgv,
    own: await ownUser(),
    limits: await ownLimits(),
    network: config.containerNetwork,
    shortFolderRoot: tmpdir(),
    legacyStatusCodes: config.legacyStatusCodes,
    timeZone: surroundings.env.TZ,
    clock,
    log,
  });
  const room = createServiceRoom({
    store: serviceStore,
    images,
    models,
    targets: { process: processTarget, container: containerTarget },
    computeTargets: computeTargets(config.containerInstances),
    workspaces,
    operations,
    secrets: box,
    issueToken: tokens.issueForService,
    tokenKey: tokens.publicKey,
    gateway: {
      controlSocket: join(layout.gateway, "control.sock"),
      routesFile: join(layout.gateway, "routes.json"),
      publicUrl: gatewayUrl(publicUrl, config.gatewayPort),
      allowOpen: config.allowOpen,
    },
    log,
  });
  definitions.push(
    buildImageOperation({
      artifacts,
      models,
      environments,
      folders,
      registry,
      blobs,
      bases,
      baseCredentials,
      runtimes,
      proofs,
      store: imageStore,
    }),
    pushImageOperation({ store: imageStore, registry, remote, secrets: box }),
    collectGarbageOperation({
      store: createGarbageStore(database, {
        // Logs, and what is found anew when it is missing.
        cacheTables: ["operation", "operation_log", "image_layer"],
        openOperationTexts: operations.openTexts,
        namedRows: [unnamedAssets, unnamedArtifacts],
      }),
      blobs,
      uploads: registryUploads,
      clock,
    }),
    ...room.definitions,
  );
  const collections = createCollectionSchedule({
    operations,
    runner,
    workspace: await workspaces.ensureDefault(),
    clock,
    log,
  });
  const { services, credentials, reconciler, autoscaler } = room.connect(runner);

  const ca = await readFile(certificates.files.caFile, "utf8");
  const app = await buildHttpApp({
    certificate: await certificates.read(),
    publicUrl,
    log,
    clock,
    facts: {
      version: VERSION,
      startedAt,
      pid: surroundings.pid,
      supervisor: surroundings.parentPid,
      ca,
      fingerprint: fingerprint(ca),
      isolation: isolation.description,
    },
    identitySecret,
    tokens,
    principals,
    workspaces,
    registryAccounts,
    artifacts,
    uploads,
    addresses,
    models,
    images,
    inspector,
    imagePusher: createImagePusher({ store: imageStore, runner, secrets: box }),
    registry: {
      registry,
      uploads: registryUploads,
      log,
      verify: registryAccounts.verify,
      async ownerOf({ workspaceId, name }: Repository, tag: string) {
        const image = await ifFound(images.get(workspaceId, `${name}:${tag}`));
        return image && `image ${image.id}`;
      },
    },
    collectionRunner: runner,
    operations: {
      store: operations,
      runner,
      descriptions: {
        [IMAGE_BUILD]: describeImageBuild(publicUrl),
        [IMAGE_PUSH]: describeImagePush,
        [GARBAGE_COLLECTION]: describeCollection,
        ...describeServiceOperations(async ({ id }, imageId) =>
          buildLogUrl(publicUrl, (await images.get(id, imageId)).linkSecret),
        ),
      },
    },
    services: { services, credentials },
  });
  await listen(app, config.port, listenHost);
  await writeFileAtomically(
    layout.clientFile,
    `${JSON.stringify({
      url: publicUrl,
      caFile: certificates.files.caFile,
      tokenUrl: `${publicUrl}/msi/${identitySecret}/token`,
      gatewayUrl: gatewayUrl(publicUrl, config.gatewayPort),
    })}\n`,
  );
  const renewal = setInterval(() => void renewCertificate(), RENEWAL_CHECK_MS);
  await runner.start();
  reconciler.start();
  collections.start();
  autoscaler.start();

  /** Open connections keep the old certificate; the gateway sees the new files by itself. */
  async function renewCertificate(): Promise<void> {
    try {
      if (!(await certificates.ensure())) return;
      (app.server as unknown as HttpsServer).setSecureContext(await certificates.read());
      log.info("certificate renewed");
    } catch (error) {
      log.error("certificate not renewed; the old one stays in force", { error });
    }
  }

  return {
    url: publicUrl,
    notices: [isolation.description],
    async stop({ stopServices }) {
      clearInterval(renewal);
      collections.stop();
      await app.close();
      await runner.stop();
      await autoscaler.stop();
      await reconciler.stop();
      if (stopServices) await reconciler.stopReplicas();
      remote.close();
      await database.destroy();
      lock.release();
    },
  };
}

async function lockDataFolder(file: string): Promise<ExclusiveLock> {
  const deadline = performance.now() + LOCK_PATIENCE_MS;
  for (;;) {
    const lock = tryLock(file);
    if (lock !== undefined) return lock;
    if (performance.now() > deadline) {
      throw new AppError({
        code: "DataFolderInUse",
        kind: "conflict",
        message: `Another control plane uses ${dirname(dirname(file))}. Stop it, or name another folder with --data.`,
      });
    }
    await delay(100);
  }
}

/** Tells the cgroups and containers of several installations on one machine apart. */
function dataFolderKey(folder: string): string {
  return createHash("sha256").update(folder).digest("hex").slice(0, 12);
}
