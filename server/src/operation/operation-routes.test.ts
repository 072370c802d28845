import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../platform/clock.ts";
import { migrateToLatest } from "../platform/database/migrate.ts";
import { openSqlite } from "../platform/database/sqlite.ts";
import { createHttpApp, type HttpApp } from "../platform/http/app.ts";
import { silentLog } from "../platform/log.ts";
import {
  createWorkspaceService,
  findWorkspaceFromPath,
  type WorkspaceTables,
  workspaceMigration,
} from "../workspace/index.ts";
import { defineOperation } from "./define-operation.ts";
import type { OperationDescription } from "./describe-operation.ts";
import { operationRoutes } from "./operation-routes.ts";
import { createOperationRunner, type OperationRunner } from "./operation-runner.ts";
import { createOperationStore, type OperationStore } from "./operation-store.ts";
import { type OperationTables, operationMigration } from "./operation-tables.ts";

/** What must not be held is held for so long that it cannot be taken for slowness; what must be, shortly. */
const LONG_MS = 20_000;
const hold = { withNewsMs: LONG_MS, ms: LONG_MS };

let database: ReturnType<typeof openSqlite<OperationTables & WorkspaceTables>>;
let store: OperationStore;
let runner: OperationRunner;
let app: HttpApp;
let workspaceId: string;
let finish: PromiseWithResolvers<undefined>;
let tell: (text: string) => void;
let description: OperationDescription;

beforeEach(async () => {
  Object.assign(hold, { withNewsMs: LONG_MS, ms: LONG_MS });
  database = openSqlite(":memory:");
  await migrateToLatest(database, { "1": workspaceMigration, "2": operationMigration });
  const workspaces = createWorkspaceService(database, systemClock);
  workspaceId = (await workspaces.ensureDefault()).id;
  store = createOperationStore(database, systemClock);
  finish = Promise.withResolvers();
  description = { operationType: "Image", resourceLocation: "subscriptions/x/images/a:1", operationLog: "https://log" };
  const definition = defineOperation<unknown, Record<string, unknown>>({
    kind: "test",
    version: 1,
    steps: [
      {
        name: "work",
        timeoutMs: 60_000,
        run({ say }) {
          tell = say;
          say("Begun.");
          return finish.promise;
        },
      },
    ],
  });
  runner = createOperationRunner(store, [definition], silentLog);
  await runner.start();
  app = createHttpApp();
  await app.register(
    async (scope) => {
      findWorkspaceFromPath(scope, workspaces.get);
      operationRoutes(scope, { store, runner, descriptions: { test: async () => description }, hold });
    },
    { prefix: "/:subscriptionId/:resourceGroup/:workspaceName" },
  );
});
afterEach(async () => {
  finish.resolve(undefined);
  await Promise.all([runner.stop(), app.close()]);
  await database.destroy();
});

async function begun(): Promise<string> {
  const id = await runner.enqueue({ workspaceId, kind: "test", input: {}, queue: "q" });
  using watch = runner.watch(id);
  runner.wake();
  while ((await store.log(id)).length === 0) await watch.next(100);
  return id;
}

async function read(id: string, query = "") {
  const begin = performance.now();
  const url = `/00000000-0000-0000-0000-000000000000/slipway/default/operations/${id}${query}`;
  const answer = await app.inject({ method: "GET", url });
  return { body: answer.json(), status: answer.statusCode, ms: performance.now() - begin };
}

describe("a poll", () => {
  it("is answered as soon as the operation ends", async () => {
    const id = await begun();
    const pending = read(id);
    finish.resolve(undefined);
    const { body, ms } = await pending;
    expect(ms).toBeLessThan(LONG_MS);
    expect(body).toMatchObject({
      id,
      state: "Succeeded",
      operationType: "Image",
      resourceLocation: "subscriptions/x/images/a:1",
      operationLog: "https://log",
      operationDetails: { operationId: null, subOperationType: "Image", subOperationState: "Succeeded" },
      streamingOperationLog: expect.stringMatching(/^\d{14}\|Begun\.#$/),
      error: null,
    });
    expect(body.endTime).toMatch(/Z$/);
  });

  it("is held while nothing happens, but not for ever", async () => {
    hold.ms = 500;
    const { body, ms } = await read(await begun());
    expect(ms).toBeGreaterThan(490);
    expect(body.state).toBe("Running");
  });

  it("is held shorter when there is more log than the asker has", async () => {
    hold.withNewsMs = 200;
    const { ms, body } = await read(await begun(), "?offset=0");
    expect(ms).toBeGreaterThan(190);
    expect(ms).toBeLessThan(LONG_MS);
    expect(body.streamingOperationLog).toContain("Begun.");
  });

  it("that had no news is answered with the first one that comes late", async () => {
    const id = await begun();
    const offset = "20261122092508|Begun.#".length;
    hold.withNewsMs = 200;
    const pending = read(id, `?offset=${offset}`);
    const late = new Promise((resolve) => setTimeout(resolve, hold.withNewsMs + 50)).then(() => tell("More."));
    const { body, ms } = await pending;
    await late;
    expect(ms).toBeLessThan(LONG_MS);
    expect(body.streamingOperationLog).toMatch(/^\d{14}\|More\.#$/);
  });

  it("is not held the first time if the description says so, but the second time", async () => {
    description = { ...description, answerFirstReadAtOnce: true };
    const id = await begun();
    expect((await read(id)).ms).toBeLessThan(LONG_MS);
    hold.ms = 500;
    expect((await read(id)).ms).toBeGreaterThan(490);
  });

  it("of an operation of another workspace, or with a wrong offset, is refused", async () => {
    expect((await read("unknown")).body.message).toContain("There is no operation unknown");
    expect((await read(await begun(), "?offset=-1")).status).toBe(400);
  });
});
