import { createHash, randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createClient, type Fetch } from "@slipway/client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type CliUnderTest, startCliUnderTest } from "./cli-fixture.ts";
import { connect, fetchTrusting } from "./connect.ts";
import { findConnection } from "./connection.ts";
import { fileOnDisk } from "./files/file-on-disk.ts";

const SIZE = 40 * 1024 * 1024 + 7;
let cli: CliUnderTest;
beforeAll(async () => {
  cli = await startCliUnderTest();
});
afterAll(() => cli.stop());

async function newFile(name: string, size = SIZE): Promise<{ path: string; sha256: string }> {
  const path = join(cli.folder, name);
  const bytes = randomBytes(size);
  await writeFile(path, bytes);
  return { path, sha256: createHash("sha256").update(bytes).digest("hex") };
}

/** A client whose uploads go through `intercept`, with the real token and the real server. */
async function clientWith(intercept: (fetch: Fetch) => Fetch) {
  const connection = await findConnection({ data: cli.data }, {});
  const token = await tokenOf();
  return createClient({ url: connection.url, token, fetch: intercept(fetchTrusting(connection.ca)) });

  async function tokenOf(): Promise<string> {
    if (!("tokenUrl" in connection.credential)) throw new Error("A local connection has a token address.");
    const headers = { metadata: "true", "content-type": "application/x-www-form-urlencoded" };
    const body = new URLSearchParams({ resource: connection.url }).toString();
    const response = await fetchTrusting(connection.ca)(connection.credential.tokenUrl, {
      method: "POST",
      headers,
      body,
    });
    return ((await response.json()) as { access_token: string }).access_token;
  }
}

async function storedDigest(modelId: string): Promise<string> {
  const client = connect(await findConnection({ data: cli.data }, {}));
  const [file] = await client.models.files(modelId);
  if (file === undefined) throw new Error("The model has no files.");
  const bytes = await (await client.artifacts.open(file.contentUri)).arrayBuffer();
  return createHash("sha256").update(new Uint8Array(bytes)).digest("hex");
}

test("a large file is streamed in one request, and its bytes arrive", async () => {
  const { path, sha256 } = await newFile("streamed.bin");
  const puts: string[] = [];
  const client = await clientWith((fetch) => (url, init) => {
    if (init?.method === "PUT") puts.push(url);
    return fetch(url, init);
  });
  let sent = 0;
  const options = { onUpload: (progress: { sentBytes: number }) => (sent = progress.sentBytes) };
  const model = await client.models.register({ name: "streamed", files: [await fileOnDisk(path)] }, options);
  expect(puts).toHaveLength(1);
  expect(sent).toBe(SIZE);
  expect(await storedDigest(model.id)).toBe(sha256);
});

test("an answer whose ETag was lost on the way is a success all the same", async () => {
  const { path, sha256 } = await newFile("no-etag.bin");
  let puts = 0;
  const client = await clientWith((fetch) => async (url, init) => {
    const response = await fetch(url, init);
    if (init?.method !== "PUT") return response;
    puts += 1;
    return new Response(response.body, { status: response.status });
  });
  const model = await client.models.register({ name: "no-etag", files: [await fileOnDisk(path)] });
  expect(puts).toBe(1);
  expect(await storedDigest(model.id)).toBe(sha256);
});

test("a larger file that is new to the server is not read twice, and goes on in blocks when the connection breaks", async () => {
  const size = 64 * 1024 * 1024 + 5;
  const unseen = await newFile("unseen.bin", size);
  const client = await clientWith((fetch) => fetch);
  const hashed: string[] = [];
  const register = async (of: typeof client, { path }: { path: string }) => {
    const file = await fileOnDisk(path);
    const sha256 = () => {
      hashed.push(path);
      return file.sha256?.() ?? Promise.reject(new Error("Files on disk have a digest."));
    };
    return of.models.register({ name: "unseen", files: [{ ...file, sha256 }] });
  };
  const model = await register(client, unseen);
  expect(hashed).toEqual([]);
  expect(await storedDigest(model.id)).toBe(unseen.sha256);
  const line = `${unseen.sha256}  unseen.bin\n`;
  expect(model.properties.contentDigest).toBe(`sha256:${createHash("sha256").update(line).digest("hex")}`);

  expect((await register(client, unseen)).version).toBe(2);
  expect(hashed).toEqual([unseen.path]);

  const broken = await newFile("broken.bin", size + 1);
  const breaking = await clientWith((fetch) => (url, init) => {
    if (init?.body instanceof ReadableStream) throw new TypeError("connection reset");
    return fetch(url, init);
  });
  expect(await storedDigest((await register(breaking, broken)).id)).toBe(broken.sha256);
  expect(hashed).toEqual([unseen.path, broken.path]);
});

test("content that the server has is not sent again", async () => {
  const { path } = await newFile("twice.bin");
  const file = await fileOnDisk(path);
  await (await clientWith((fetch) => fetch)).models.register({ name: "twice", files: [file] });
  const client = await clientWith((fetch) => (url, init) => {
    if (init?.method === "PUT") throw new Error("Nothing may be uploaded.");
    return fetch(url, init);
  });
  let reused = 0;
  const options = { onUpload: (progress: { reusedBytes: number }) => (reused = progress.reusedBytes) };
  expect((await client.models.register({ name: "twice", files: [file] }, options)).version).toBe(2);
  expect(reused).toBe(SIZE);
});

test("a broken connection costs a block, and an interrupted upload goes on where it ended", async () => {
  const { path, sha256 } = await newFile("resumed.bin");
  const file = await fileOnDisk(path);
  const blocks: string[] = [];
  const dying = await clientWith((fetch) => (url, init) => {
    // The stream breaks, then the program ends after two blocks have arrived.
    if (init?.body instanceof ReadableStream) throw new TypeError("connection reset");
    if (url.includes("comp=block&") && blocks.push(url) > 2) throw new DOMException("killed", "AbortError");
    return fetch(url, init);
  });
  await expect(dying.models.register({ name: "resumed", files: [file] })).rejects.toThrow("killed");

  const again: string[] = [];
  const client = await clientWith((fetch) => (url, init) => {
    if (url.includes("comp=block&")) again.push(url);
    return fetch(url, init);
  });
  const model = await client.models.register({ name: "resumed", files: [file] });
  const allBlocks = Math.ceil(SIZE / (8 * 1024 * 1024));
  expect(again.length).toBeGreaterThan(0);
  expect(again.length).toBeLessThan(allBlocks);
  expect(await storedDigest(model.id)).toBe(sha256);
});
