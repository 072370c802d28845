import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { computeTargets } from "../../compute/index.ts";
import { createImageStore, type ImageReader, type ImageTables, imageMigration } from "../../image/index.ts";
import type { Model, ModelReader } from "../../model/index.ts";
import {
  createOperationRunner,
  createOperationStore,
  defineOperation,
  type OperationDefinition,
  type OperationStore,
  type OperationTables,
  operationMigration,
  operationRoutes,
} from "../../operation/index.ts";
import { systemClock } from "../../platform/clock.ts";
import { migrateToLatest } from "../../platform/database/migrate.ts";
import { openSqlite } from "../../platform/database/sqlite.ts";
import { AppError } from "../../platform/errors.ts";
import { createHttpApp } from "../../platform/http/app.ts";
import { handleErrors, modelManagementEnvelope } from "../../platform/http/error-handler.ts";
import { newSecret, newUuid } from "../../platform/ids.ts";
import { silentLog } from "../../platform/log.ts";
import { createSecretBox } from "../../secret/index.ts";
import {
  createWorkspaceService,
  findWorkspaceFromPath,
  WORKSPACE_PATH,
  type WorkspaceTables,
  workspaceMigration,
} from "../../workspace/index.ts";
import { describeServiceOperations } from "../describe-service-operation.ts";
import { serviceCertificateMigration } from "../service-certificate-tables.ts";
import { createServiceRoom } from "../service-room.ts";
import { serviceRoutes } from "../service-routes.ts";
import { createServiceStore } from "../service-store.ts";
import { type ServiceTables, serviceMigration } from "../service-tables.ts";
import { createEngine } from "./memory-engine.ts";
import { createGateway } from "./recording-gateway.ts";

type Tables = OperationTables & ServiceTables & ImageTables & WorkspaceTables;
type Fixture = Awaited<ReturnType<typeof createServiceFixture>>;
export type ControlPlane = ReturnType<Fixture["controlPlane"]>;

export const MMS = `/modelmanagement/v1.0${WORKSPACE_PATH.replace(":subscriptionId", "00000000-0000-0000-0000-000000000000").replace(":resourceGroup", "slipway").replace(":workspaceName", "default")}`;

/** Waits until `check` stops throwing. */
export async function eventually<T>(check: () => T | Promise<T>, deadlineMs = 30_000): Promise<T> {
  const end = performance.now() + deadlineMs;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

/**
 * The service room on a real database with the real runner, in front of an engine and a gateway that live in this process.
 * They stay when a control plane goes: what they are after a crash is what a restart finds.
 */
export async function createServiceFixture() {
  const folder = await mkdtemp(join(tmpdir(), "slipway-service-"));
  const database = openSqlite<Tables>(":memory:");
  await migrateToLatest(database, {
    "1": workspaceMigration,
    "2": operationMigration,
    "3": imageMigration,
    "4": serviceMigration,
    "5": serviceCertificateMigration,
  });
  const workspaces = createWorkspaceService(database, systemClock);
  const workspace = await workspaces.ensureDefault();
  const engine = createEngine(folder);
  const gateway = await createGateway(folder);
  const operationStore = createOperationStore(database, systemClock);
  const imageStore = createImageStore(database);
  const store = createServiceStore(database, systemClock);
  const builds = new Map<string, "succeed" | "fail" | "wait">();
  const models = new Map<string, Model>();
  const planes: { stop(): Promise<void> }[] = [];

  /** What a build ends with is set by the test before; the room knows only the state and the error. */
  const buildImage = defineOperation<{ imageId: string }, Record<string, never>>({
    kind: "image.build",
    version: 1,
    steps: [
      {
        name: "build",
        timeoutMs: 60_000,
        async run({ workspaceId, input: { imageId }, say, signal }) {
          say(`Building ${imageId}.`);
          while (builds.get(imageId) === "wait") {
            signal.throwIfAborted();
            await new Promise((resolve) => setTimeout(resolve, 10));
          }
          if (builds.get(imageId) === "fail") {
            const error = {
              code: "EnvironmentUnsolvable",
              message: "No version of numpy fits numpy==99.",
              details: [],
            };
            await imageStore.setState(workspaceId, imageId, "Failed", error);
            throw new AppError({ ...error, kind: "invalid" });
          }
          await database
            .updateTable("image")
            .set({ state: "Succeeded", digest: `sha256:${imageId}` })
            .where("name", "=", imageId.split(":")[0] ?? "")
            .where("version", "=", Number(imageId.split(":")[1]))
            .execute();
          return undefined;
        },
      },
    ],
  });

  function controlPlane(operations: OperationStore = operationStore) {
    const images: ImageReader = {
      async get(workspaceId, id) {
        const image = await imageStore.find(workspaceId, id);
        if (image !== undefined) return image;
        throw new AppError({ code: "ImageNotFound", kind: "notFound", message: `There is no image ${id}.` });
      },
      async create(workspaceId, request) {
        const operationId = newUuid();
        const version = await imageStore.transaction(async (transaction) => {
          const next = await imageStore.nextVersion(transaction, workspaceId, request.name);
          await imageStore.insert(transaction, newImage(workspaceId, operationId, request), next);
          const imageId = `${request.name}:${next}`;
          const operation = { id: operationId, workspaceId, kind: "image.build", input: { imageId }, queue: imageId };
          await runner.enqueue(operation, transaction);
          return next;
        });
        runner.wake();
        return images.get(workspaceId, `${request.name}:${version}`);
      },
      async bundle(_workspaceId, imageId) {
        const location = `localhost/default/${imageId}`;
        const bundle = {
          ...{ imageId, imageDigest: `sha256:${imageId}`, imageLocation: location, runtime: "onnx" as const },
          ...{ architecture: "amd64", base: null, repository: { workspaceId: "w", name: "digits" } },
        };
        return { ...bundle, appRoot: folder, environmentVariables: {}, models: [] };
      },
      usersOfModel: async () => [],
    };
    const modelReader: ModelReader = {
      async get(_workspaceId, id) {
        const model = models.get(id);
        if (model !== undefined) return model;
        throw new AppError({ code: "ModelNotFound", kind: "notFound", message: `There is no model ${id}.` });
      },
      files: async () => [],
    };
    const room = createServiceRoom({
      store,
      images,
      models: modelReader,
      targets: { process: engine.target },
      computeTargets: computeTargets("process"),
      workspaces,
      operations,
      secrets: createSecretBox(Buffer.alloc(32, 7)),
      issueToken: async (audience, seconds) => ({ token: `token for ${audience}`, expiresOn: 1_000_000 + seconds }),
      tokenKey: { kty: "EC" },
      gateway: {
        controlSocket: gateway.socket,
        routesFile: gateway.routesFile,
        publicUrl: "https://localhost:8444",
        allowOpen: false,
      },
      log: silentLog,
      lookEveryMs: 20,
    });
    const definitions: OperationDefinition[] = [buildImage, ...room.definitions];
    const runner = createOperationRunner(operations, definitions, silentLog);
    const { services, credentials, reconciler, autoscaler } = room.connect(runner);
    const app = createHttpApp();
    void app.register(
      async (scope) => {
        handleErrors(scope, modelManagementEnvelope, silentLog);
        findWorkspaceFromPath(scope, workspaces.get);
        operationRoutes(scope, {
          store: operations,
          runner,
          descriptions: describeServiceOperations(async (_workspace, imageId) => `https://localhost/log/${imageId}`),
        });
        serviceRoutes(scope, {
          services,
          credentials,
          imageDetails: async (_workspace, id) => ({ id, modelDetails: [{ id: "digits:1" }] }),
          operationUrl: (_workspace, id) => `https://localhost:8443/operations/${id}`,
        });
      },
      { prefix: `/modelmanagement/v1.0${WORKSPACE_PATH}` },
    );
    const plane = {
      runner,
      services,
      credentials,
      reconciler,
      autoscaler,
      app,
      images,
      /** Waits for the service's newest operation. */
      async settled(name: string) {
        const { operationId } = await services.get(workspace.id, name);
        return runner.waitForEnd(workspace.id, operationId ?? "", AbortSignal.timeout(50_000));
      },
      /** As a SIGKILL: whatever hangs in this control plane hangs for ever, and nobody waits for it. */
      die() {
        planes.splice(planes.indexOf(plane), 1);
        void Promise.all([autoscaler.stop(), reconciler.stop(), runner.stop(), app.close()]);
      },
      async stop() {
        await Promise.all([autoscaler.stop(), reconciler.stop(), runner.stop(), app.close()]);
      },
    };
    planes.push(plane);
    return plane;
  }

  return {
    workspace,
    database,
    store,
    operationStore,
    engine,
    gateway,
    builds,
    models,
    controlPlane,
    async imageOf(plane: ReturnType<typeof controlPlane>, name: string, modelIds: readonly string[] = []) {
      const image = await plane.images.create(workspace.id, { name, modelIds, assets: [] });
      await plane.runner.waitForEnd(workspace.id, image.operationId);
      return image.id;
    },
    async close() {
      await Promise.all(planes.map((plane) => plane.stop()));
      await Promise.all([engine.close(), gateway.close()]);
      await database.destroy();
      await rm(folder, { recursive: true });
    },
  };
}

function newImage(workspaceId: string, operationId: string, request: Parameters<ImageReader["create"]>[1]) {
  return {
    workspaceId,
    name: request.name,
    description: null,
    tags: {},
    properties: {},
    imageType: "Docker",
    imageFlavor: "WebApiContainer",
    modelIds: request.modelIds,
    driverProgram: request.driverProgram ?? null,
    assets: request.assets,
    targetRuntime: { runtimeType: "Python", targetArchitecture: "amd64", properties: {} },
    condaFile: request.condaFile ?? null,
    environmentVariables: request.environmentVariables ?? {},
    operationId,
    linkSecret: newSecret(),
    createdAt: new Date().toISOString(),
  };
}
