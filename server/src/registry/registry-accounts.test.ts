import type { Kysely } from "kysely";
import { afterEach, beforeEach, expect, it } from "vitest";
import { manualClock } from "../platform/clock.ts";
import { migrateToLatest } from "../platform/database/migrate.ts";
import { openSqlite } from "../platform/database/sqlite.ts";
import { createHttpApp, type HttpApp } from "../platform/http/app.ts";
import { handleErrors, resourceManagerEnvelope } from "../platform/http/error-handler.ts";
import { silentLog } from "../platform/log.ts";
import { createSecretBox, createSecretStore, type SecretTables, secretMigration } from "../secret/index.ts";
import { createWorkspaceService, type WorkspaceTables, workspaceMigration } from "../workspace/index.ts";
import { registryAccountRoutes } from "./registry-account-routes.ts";
import {
  createRegistryAccounts,
  type RegistryAccountDependencies,
  type RegistryAccounts,
} from "./registry-accounts.ts";
import { type RegistryTables, registryMigration, registryPushMigration } from "./registry-tables.ts";

const GROUP = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/slipway/providers";
const path = `${GROUP}/Microsoft.ContainerRegistry/registries/default`;

let app: HttpApp;
let deps: RegistryAccountDependencies<RegistryTables>;
let accounts: RegistryAccounts;
beforeEach(async () => {
  const database = openSqlite<SecretTables & WorkspaceTables & RegistryTables>(":memory:");
  await migrateToLatest(database, {
    "1": secretMigration,
    "2": workspaceMigration,
    "3": registryMigration,
    "4": registryPushMigration,
  });
  const clock = manualClock();
  const workspaces = createWorkspaceService(database, clock);
  await workspaces.ensureDefault();
  await workspaces.ensure({
    subscriptionId: "11111111-1111-1111-1111-111111111111",
    resourceGroup: "g",
    name: "default",
  });
  const secrets = createSecretStore(database, createSecretBox(Buffer.alloc(32, 1)), clock);
  deps = { database: database as unknown as Kysely<RegistryTables>, secrets, workspaces };
  accounts = createRegistryAccounts(deps);
  app = createHttpApp() as HttpApp;
  handleErrors(app, resourceManagerEnvelope, silentLog);
  registryAccountRoutes(app, { accounts, workspaces, publicUrl: "https://localhost:8443" });
});
afterEach(() => app.close());

const call = (method: "GET" | "POST" | "PATCH", url: string, payload?: object) =>
  app.inject({ method, url, ...(payload === undefined ? {} : { payload }) });
const passwords = async () =>
  (await call("POST", `${path}/listCredentials?api-version=2025-04-01`))
    .json()
    .passwords.map(({ value }: { value: string }) => value) as [string, string];

it("shows the admin user as scripts read it (contract 3), and the registry", async () => {
  const credentials = (await call("POST", `${path}/listCredentials`)).json();
  expect(credentials).toEqual({
    username: "default",
    passwords: [
      { name: "password", value: expect.stringMatching(/^.{43}$/) },
      { name: "password2", value: expect.stringMatching(/^.{43}$/) },
    ],
  });
  expect((await call("GET", path)).json()).toMatchObject({
    id: path,
    name: "default",
    properties: { loginServer: "localhost:8443", adminUserEnabled: true },
  });
});

it("either password opens its own workspace's registry only", async () => {
  const [first, second] = await passwords();
  for (const password of [first, second]) {
    expect(await accounts.verify("default", "default", password)).toMatchObject({ namespace: "default" });
    expect(await accounts.verify(undefined, "default", password)).toBeDefined();
    expect(await accounts.verify("other", "default", password)).toBeUndefined();
    expect(await accounts.verify("default", "someone", password)).toBeUndefined();
  }
  for (const wrong of ["", "x", `${first}x`, first.slice(1)]) {
    expect(await accounts.verify("default", "default", wrong)).toBeUndefined();
  }
  // Two workspaces may have one name in two groups: the password tells them apart.
  const url = path.replace(/0{8}-.*?\//, "11111111-1111-1111-1111-111111111111/").replace("slipway", "g");
  const [other] = (await call("POST", `${url}/listCredentials`)).json().passwords;
  const [mine, theirs] = [
    await accounts.verify("default", "default", first),
    await accounts.verify("default", "default", other.value),
  ];
  expect(theirs?.workspaceId).toBeDefined();
  expect(theirs?.workspaceId).not.toBe(mine?.workspaceId);
});

it("renews one password and leaves the other", async () => {
  const [first, second] = await passwords();
  expect(await accounts.verify("default", "default", first)).toBeDefined();
  const renewed = await call("POST", `${path}/regenerateCredential`, { name: "password" });
  const [fresh, same] = await passwords();
  expect(renewed.json().passwords.map(({ value }: { value: string }) => value)).toEqual([fresh, same]);
  expect(fresh).not.toBe(first);
  expect(same).toBe(second);
  expect(await accounts.verify("default", "default", first)).toBeUndefined();
  expect(await accounts.verify("default", "default", fresh)).toBeDefined();
  const wrong = await call("POST", `${path}/regenerateCredential`, { name: "password3" });
  expect(wrong.statusCode).toBe(400);
});

it("a password that is renewed while somebody reads it opens nothing afterwards", async () => {
  const [first] = await passwords();
  const [read, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let reads = 0;
  const slow = createRegistryAccounts({
    ...deps,
    secrets: {
      ...deps.secrets,
      async getOrCreate(name, make) {
        const value = await deps.secrets.getOrCreate(name, make);
        reads += 1;
        if (reads === 1) {
          read.resolve();
          await goOn.promise;
        }
        return value;
      },
    },
  });
  const [workspace] = await deps.workspaces.list();
  if (workspace === undefined) throw new Error("no workspace");
  const earlier = slow.verify("default", "default", first);
  await read.promise;
  const renewed = await slow.renew(workspace, 1);
  goOn.resolve();
  await earlier;
  expect(await slow.verify("default", "default", first)).toBeUndefined();
  expect(await slow.verify("default", "default", renewed.passwords[0])).toBeDefined();
});

it("switched off it has no passwords and lets nobody in; switched on they are the same", async () => {
  const [first] = await passwords();
  const off = await call("PATCH", path, { properties: { adminUserEnabled: false } });
  expect(off.json().properties.adminUserEnabled).toBe(false);
  expect(await accounts.verify("default", "default", first)).toBeUndefined();
  for (const url of [`${path}/listCredentials`, `${path}/regenerateCredential`]) {
    const answer = await call("POST", url, { name: "password" });
    expect(answer.statusCode).toBe(409);
    expect(answer.json().error).toMatchObject({
      code: "RegistryAdminUserDisabled",
      message: expect.stringContaining("slipway registry credentials enable"),
    });
  }
  await call("PATCH", path, { properties: { adminUserEnabled: true } });
  expect((await passwords())[0]).toBe(first);
  expect(await accounts.verify("default", "default", first)).toBeDefined();
});
