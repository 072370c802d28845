import { afterEach, beforeEach, expect, test } from "vitest";
import { manualClock } from "../platform/clock.ts";
import { migrateToLatest } from "../platform/database/migrate.ts";
import { openSqlite } from "../platform/database/sqlite.ts";
import { createHttpApp, type HttpApp } from "../platform/http/app.ts";
import { handleErrors, resourceManagerEnvelope } from "../platform/http/error-handler.ts";
import { silentLog } from "../platform/log.ts";
import {
  createWorkspaceService,
  discoveryRoutes,
  findWorkspaceFromPath,
  resourceManagerRoutes,
  WORKSPACE_PATH,
  type WorkspaceService,
  type WorkspaceTables,
  workspaceMigration,
  workspaceRoutes,
} from "./index.ts";

const url = "https://localhost:8443";
const subscription = "11111111-1111-1111-1111-111111111111";
const path = `/subscriptions/${subscription}/resourceGroups/rg1/providers/Microsoft.MachineLearningServices/workspaces/ws1`;
let workspaces: WorkspaceService;
let app: HttpApp;

beforeEach(async () => {
  const database = openSqlite<WorkspaceTables>(":memory:");
  await migrateToLatest(database, { "0001-workspace": workspaceMigration });
  workspaces = createWorkspaceService(database, manualClock());
  const deps = {
    workspaces,
    publicUrl: url,
    tenantId: "tenant",
    registryCredentials: async () => ({ username: "ws1", passwords: ["one", "two"] as const }),
  };
  app = createHttpApp();
  handleErrors(app, resourceManagerEnvelope, silentLog);
  resourceManagerRoutes(app, deps);
  discoveryRoutes(app, deps);
  await app.register(
    async (scope) => {
      findWorkspaceFromPath(scope as unknown as HttpApp, (name) => workspaces.get(name));
      workspaceRoutes(scope as unknown as HttpApp, deps);
    },
    { prefix: WORKSPACE_PATH },
  );
});
afterEach(() => app.close());

test("a workspace is made once, found in any case of its path, and has every field of contract 3", async () => {
  const made = (await app.inject({ method: "PUT", url: `${path}?api-version=2022-05-01`, payload: {} })).json();
  const again = (await app.inject({ method: "PUT", url: path, payload: {} })).json();
  expect(again.properties.workspaceId).toBe(made.properties.workspaceId);
  const read = await app.inject({ url: path.replace("resourceGroups", "resourcegroups").toLowerCase() });
  expect(read.json()).toEqual(made);
  expect(made).toMatchObject({
    id: path,
    name: "ws1",
    type: "Microsoft.MachineLearningServices/workspaces",
    properties: {
      discoveryUrl: `${url}/discovery/workspaces/${made.properties.workspaceId}`,
      provisioningState: "Succeeded",
    },
  });
  expect(made.properties.containerRegistry.split("/").at(-1)).toBe("ws1");
});

test("an unknown workspace is 404 with the next action", async () => {
  const answer = await app.inject({ url: path });
  expect(answer.statusCode).toBe(404);
  expect(answer.json().error).toMatchObject({
    code: "ResourceNotFound",
    message: expect.stringContaining("slipway workspace list"),
  });
});

test("names outside the rules are refused and name the rule", async () => {
  for (const bad of [path.replace("ws1", "w"), path.replace("ws1", "a%2Fb"), path.replace(subscription, "no-uuid")]) {
    const answer = await app.inject({ method: "PUT", url: bad, payload: {} });
    expect(answer.statusCode).toBe(400);
    expect(answer.json().error.message).toMatch(/cannot be the (name|subscriptionId) of a workspace/);
  }
});

test("subscriptions and lists show each workspace where it belongs (contract 2.6 and 3)", async () => {
  await workspaces.ensureDefault();
  await app.inject({ method: "PUT", url: path, payload: {} });
  const ids = (await app.inject({ url: "/subscriptions?api-version=2022-12-01" })).json().value;
  expect(ids.map((item: { subscriptionId: string }) => item.subscriptionId)).toEqual([
    "00000000-0000-0000-0000-000000000000",
    subscription,
  ]);
  const byGroup = await app.inject({
    url: `/subscriptions/${subscription}/resourceGroups/RG1/providers/Microsoft.MachineLearningServices/workspaces`,
  });
  expect(byGroup.json().value.map((item: { name: string }) => item.name)).toEqual(["ws1"]);
});

test("keys and discovery hold what the client insists on (contract 3 and 4)", async () => {
  await app.inject({ method: "PUT", url: path, payload: {} });
  const keys = (await app.inject({ method: "POST", url: `${path}/listKeys?api-version=2020-01-01` })).json();
  expect(keys.containerRegistryCredentials).toMatchObject({ location: "localhost:8443", username: "ws1" });
  const discovery = (await app.inject({ url: "/discovery/workspaces/any" })).json();
  expect(Object.keys(discovery)).toEqual(
    expect.arrayContaining(["api", "experimentation", "history", "hyperdrive", "modelmanagement", "studio"]),
  );
});
