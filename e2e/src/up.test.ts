import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, freePort, type Installation, repository, run, startInstallation } from "./harness/installation.ts";
import { buildImage, sdk, trusting, versionScript } from "./harness/sdk.ts";

let slipway: Installation;
let folder: string;

beforeAll(async () => {
  slipway = await startInstallation();
  folder = await mkdtemp(join(tmpdir(), "slipway-up-"));
  const client = await sdk(slipway);
  const image = await buildImage(client, "echo", versionScript(1));
  await client.operations.wait(
    (await client.services.create({ name: "echo", imageId: image, cpu: 0.5, memoryInGB: 0.5 })).operationId,
  );
});
afterAll(async () => {
  await slipway?.dispose();
  await rm(folder, { recursive: true, force: true });
});

const up = async (args: readonly string[]) => {
  const [port, gatewayPort] = [await freePort(), await freePort()];
  const standard = ["--port", String(port), "--gateway-port", String(gatewayPort)];
  return run([process.execPath, join(repository, "cli/bin/slipway.js"), "up", ...standard, ...args], {
    timeoutMs: 180_000,
  });
};

async function score(): Promise<number> {
  const fetch = await trusting(slipway);
  const response = await fetch(`${slipway.gatewayUrl}/api/v1/service/echo/score`, { method: "POST", body: "{}" });
  return response.status;
}

test("a second start on the same folder is refused and names the first", async () => {
  const { code, stderr } = await up(["--data", slipway.dataFolder]);
  expect(code).not.toBe(0);
  expect(stderr).toMatch(/is in use by another slipway up/);
});

test("a port in use is one clear line that names the port", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  for (const flag of ["--port", "--gateway-port"]) {
    const data = await mkdtemp(join(folder, "port-"));
    const { code, stderr } = await up(["--data", data, flag, String(port)]);
    expect(code).not.toBe(0);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(stderr).toContain(String(port));
  }
  server.close();
});

test("a folder that cannot be made is named", async () => {
  const file = join(folder, "file");
  await writeFile(file, "");
  const { code, stderr } = await up(["--data", join(file, "data")]);
  expect(code).not.toBe(0);
  expect(stderr).toContain(join(file, "data"));
});

test("data of a newer Slipway are left alone", async () => {
  const other = await startInstallation();
  await other.stop();
  const database = new DatabaseSync(join(other.dataFolder, "state/slipway.db"));
  database.exec("insert into kysely_migration (name, timestamp) values ('9999-future', '2030')");
  database.close();
  const { code, stderr } = await up(["--data", other.dataFolder]);
  expect(code).not.toBe(0);
  expect(stderr).toMatch(/written by a newer Slipway/);
  await other.dispose();
});

test("restart replaces the control plane while the service keeps answering", async () => {
  const before = await slipway.health();
  const { code, stdout, stderr } = await slipway.slipway(["restart"]);
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(/was replaced/);
  expect((await slipway.health()).pid).not.toBe(before.pid);
  expect(await score()).toBe(200);
});

test("with --keep-services gateway and services outlive slipway up, and the next start adopts them", async () => {
  await slipway.stop();
  await slipway.start(["--keep-services"]);
  await eventually(async () => ((await score()) === 200 ? true : undefined));
  await slipway.stop();
  expect(await score()).toBe(200);
  await slipway.start();
  expect(await score()).toBe(200);
});

test("a stop ends everything, and the next start brings the service back", async () => {
  await slipway.stop();
  await expect(score()).rejects.toThrow();
  await slipway.start();
  await eventually(async () => ((await score()) === 200 ? true : undefined));
});

test("secrets are not readable in the data folder", async () => {
  const client = JSON.parse(await readFile(join(slipway.dataFolder, "client.json"), "utf8")) as { tokenUrl: string };
  const secret = new URL(client.tokenUrl).pathname.split("/")[2] ?? "";
  const database = await readFile(join(slipway.dataFolder, "state/slipway.db"));
  expect(secret.length).toBeGreaterThan(20);
  expect(database.includes(secret)).toBe(false);
});
