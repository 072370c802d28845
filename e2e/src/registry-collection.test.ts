import { createHash, randomBytes } from "node:crypto";
import { mkdir, readdir, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, type Installation, startInstallation } from "./harness/installation.ts";
import { type RegistryAccess, registryAccess } from "./harness/registry-access.ts";
import { buildImage, sdk, trusting, versionScript } from "./harness/sdk.ts";

let slipway: Installation;
let registry: RegistryAccess;
beforeAll(async () => {
  slipway = await startInstallation();
  registry = await registryAccess(slipway);
});
afterAll(() => slipway?.dispose());

const hex = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const blobFile = (digest: string) => join(slipway.dataFolder, "blobs/sha256", digest.slice(7, 9), digest.slice(7));

async function call(path: string, init: RequestInit = {}): Promise<Response> {
  const fetch = await trusting(slipway);
  const authorization = `Basic ${btoa(`${registry.username}:${registry.password}`)}`;
  return fetch(`https://${registry.server}/v2/default/${path}`, {
    ...init,
    headers: { authorization, ...init.headers },
  });
}

/** @returns its digest and size */
async function pushBlob(repository: string, body: Buffer) {
  const digest = `sha256:${hex(body)}`;
  const answer = await call(`${repository}/blobs/uploads/?digest=${digest}`, { method: "POST", body });
  expect(answer.status).toBe(201);
  return { digest, size: body.length };
}

async function pushImage(repository: string, layer: Buffer): Promise<string[]> {
  const config = {
    mediaType: "application/vnd.oci.image.config.v1+json",
    ...(await pushBlob(repository, Buffer.from("{}"))),
  };
  const layers = [{ mediaType: "application/vnd.oci.image.layer.v1.tar", ...(await pushBlob(repository, layer)) }];
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const body = JSON.stringify({ schemaVersion: 2, mediaType, config, layers });
  const headers = { "content-type": mediaType };
  const answer = await call(`${repository}/manifests/1`, { method: "PUT", body, headers });
  expect(answer.status).toBe(201);
  return [config.digest, ...layers.map(({ digest }) => digest), `sha256:${hex(Buffer.from(body))}`];
}

/** As a deleted image leaves them behind: files that no row names, written long ago. */
async function leaveGarbage(count: number): Promise<string[]> {
  const files: string[] = [];
  async function leave(): Promise<void> {
    const bytes = randomBytes(64);
    const file = blobFile(`sha256:${hex(bytes)}`);
    files.push(file);
    await mkdir(join(file, ".."), { recursive: true });
    await writeFile(file, bytes);
    await utimes(file, new Date(0), new Date(0));
  }
  while (files.length < count) await Promise.all(Array.from({ length: 100 }, leave));
  return files;
}

async function ageAllBlobs(): Promise<void> {
  const root = join(slipway.dataFolder, "blobs/sha256");
  for (const prefix of await readdir(root)) {
    for (const name of await readdir(join(root, prefix)))
      await utimes(join(root, prefix, name), new Date(0), new Date(0));
  }
}

/** SIGKILL to the control plane; returns when the supervisor has started it again. */
async function killAndWait(): Promise<void> {
  const { pid } = await slipway.health();
  await slipway.killControlPlane();
  await eventually(async () => ((await slipway.health()).pid !== pid ? true : undefined));
}

const present = async (files: readonly string[]) => {
  const found = await Promise.all(files.map((file) => stat(file).catch(() => undefined)));
  return found.filter((facts) => facts !== undefined).length;
};

test("a collection that is killed goes on after the restart; what is in use is all there", async () => {
  const client = await sdk(slipway);
  const image = await buildImage(client, "kept", versionScript(1));
  const [name = "", tag = ""] = image.split(":");
  const layer = randomBytes(50_000);
  const pushed = await pushImage("team/pushed", layer);
  const garbage = await leaveGarbage(12_000);
  await ageAllBlobs();

  const preview = await slipway.slipway(["registry", "gc", "--dry-run", "--output", "json"]);
  expect(JSON.parse(preview.stdout).log.join(" "), preview.output).toMatch(/Would delete 12\d{3} blobs/);
  expect(await present(garbage)).toBe(garbage.length);

  const { pid } = await slipway.health();
  const { operationId } = await client.registry.collectGarbage();
  const sample = garbage.filter((_, index) => index % 200 === 0);
  while ((await present(sample)) === sample.length) await setImmediate();
  // In the middle of it, and by no detour: it might be over meanwhile.
  process.kill(pid, "SIGKILL");
  await eventually(async () => ((await slipway.health()).pid !== pid ? true : undefined));
  const log: string[] = [];
  await client.operations.wait(operationId, { onLog: ({ text }) => log.push(text) });
  const deleted = /Deleted (\d+) blobs/.exec(log.join(" "))?.[1];
  // Some went before the kill, the rest after it.
  expect(Number(deleted), log.join("\n")).toBeGreaterThan(0);
  expect(Number(deleted)).toBeLessThan(garbage.length);
  expect(await present(garbage)).toBe(0);

  for (const digest of pushed) expect(await present([blobFile(digest)])).toBe(1);
  const back = await call(`team/pushed/blobs/sha256:${hex(layer)}`);
  expect(Buffer.from(await back.arrayBuffer()).equals(layer)).toBe(true);
  const manifest = (await (await call(`${name}/manifests/${tag}`)).json()) as {
    config: { digest: string };
    layers: { digest: string }[];
  };
  for (const { digest } of [manifest.config, ...manifest.layers]) {
    const blob = await call(`${name}/blobs/${digest}`);
    expect(`sha256:${hex(Buffer.from(await blob.arrayBuffer()))}`).toBe(digest);
  }
  await client.operations.wait((await client.services.create({ name: "kept", imageId: image })).operationId);
  const again = await slipway.slipway(["registry", "gc"]);
  expect(again.output).toMatch(/Deleted 0 blobs/);
});

test("a push whose registry is killed between two parts goes on where it was", async () => {
  const body = randomBytes(8_000_000);
  const begun = await call("team/killed/blobs/uploads/", { method: "POST" });
  const upload = (begun.headers.get("location") ?? "").replace("/v2/default/", "");
  const first = await call(upload, { method: "PATCH", body: body.subarray(0, 5_000_000) });
  expect(first.status).toBe(202);
  await killAndWait();
  const status = await call(upload);
  expect(status.headers.get("range")).toBe("0-4999999");
  const headers = { "content-range": `5000000-${body.length - 1}` };
  expect((await call(upload, { method: "PATCH", body: body.subarray(5_000_000), headers })).status).toBe(202);
  const digest = `sha256:${hex(body)}`;
  expect((await call(`${upload}?digest=${digest}`, { method: "PUT" })).status).toBe(201);
  const back = await call(`team/killed/blobs/${digest}`);
  expect(Buffer.from(await back.arrayBuffer()).equals(body)).toBe(true);
});

test("a push whose registry is killed while bytes come goes on after those that arrived", async () => {
  const body = randomBytes(8_000_000);
  const begun = await call("team/cut/blobs/uploads/", { method: "POST" });
  const upload = (begun.headers.get("location") ?? "").replace("/v2/default/", "");
  // Never more than this, so that it is in the middle whenever it ends.
  const sent = new ReadableStream<Uint8Array>({ start: (stream) => stream.enqueue(body.subarray(0, 3_000_000)) });
  const cut = call(upload, { method: "PATCH", body: sent, duplex: "half" } as RequestInit).then(
    ({ status }) => status,
    () => "cut off",
  );
  const folder = join(slipway.dataFolder, "registry-uploads");
  const arrived = await eventually(async () => {
    const [file = "none"] = await readdir(folder);
    return (await stat(join(folder, file))).size || undefined;
  });
  await killAndWait();
  expect(await cut).toBe("cut off");

  const kept = Number((await call(upload)).headers.get("range")?.split("-")[1]) + 1;
  expect(kept).toBeGreaterThanOrEqual(arrived);
  expect(kept).toBeLessThanOrEqual(3_000_000);
  const headers = { "content-range": `${kept}-${body.length - 1}` };
  expect((await call(upload, { method: "PATCH", body: body.subarray(kept), headers })).status).toBe(202);
  const digest = `sha256:${hex(body)}`;
  // No half blob is to be seen before the end, under no name.
  expect((await call(`team/cut/blobs/${digest}`)).status).toBe(404);
  expect((await call(`${upload}?digest=${digest}`, { method: "PUT" })).status).toBe(201);
  const back = await call(`team/cut/blobs/${digest}`);
  expect(Buffer.from(await back.arrayBuffer()).equals(body)).toBe(true);
  expect(await readdir(folder)).toEqual([]);
});
