import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { BlobStore } from "./blob-store.ts";
import { openFileBlobStore } from "./file-blob-store.ts";

let directory: string;
let store: BlobStore;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "slipway-blobs-"));
  store = await openFileBlobStore(directory);
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const digestOf = (bytes: Uint8Array) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
const incoming = () => readdir(join(directory, "incoming"));

async function listed(): Promise<string[]> {
  const digests: string[] = [];
  for await (const digest of store.list()) digests.push(digest);
  return digests;
}

async function* chunks(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

describe("putting", () => {
  it.each([
    [0, 1],
    [1, 1],
    [1024 * 1024, 16_384],
    [1024 * 1024 + 1, 16_383],
    [3_500_000, 1_700_001],
  ])("keeps %i bytes that come in chunks of %i", async (length, size) => {
    const bytes = randomBytes(length);
    const blob = await store.put(chunks(bytes, size));
    expect(blob).toEqual({ digest: digestOf(bytes), sizeBytes: length });
    expect((await buffer(store.read(blob.digest))).equals(bytes)).toBe(true);
    expect(await incoming()).toEqual([]);
  });

  it("the same bytes twice stores them once", async () => {
    const bytes = randomBytes(100);
    const first = await store.put(chunks(bytes, 100));
    const { ino } = await stat(store.path(first.digest));
    expect(await store.put(chunks(bytes, 7))).toEqual(first);
    expect((await stat(store.path(first.digest))).ino).toBe(ino);
    expect(await listed()).toEqual([first.digest]);
  });

  it("other bytes than announced stores nothing", async () => {
    const expected = digestOf(Buffer.from("announced"));
    await expect(store.put(chunks(Buffer.from("sent"), 4), { expected })).rejects.toMatchObject({
      code: "BlobDigestMismatch",
      kind: "invalid",
    });
    expect(await listed()).toEqual([]);
    expect(await incoming()).toEqual([]);
  });

  it("that breaks off or is cancelled leaves nothing", async () => {
    async function* breaking(): AsyncGenerator<Uint8Array> {
      yield randomBytes(2_000_000);
      throw new Error("the line went dead");
    }
    await expect(store.put(breaking())).rejects.toThrow("the line went dead");
    const controller = new AbortController();
    async function* cancelled(): AsyncGenerator<Uint8Array> {
      yield randomBytes(10);
      controller.abort(new Error("cancelled"));
      yield randomBytes(10);
    }
    await expect(store.put(cancelled(), { signal: controller.signal })).rejects.toThrow("cancelled");
    expect(await incoming()).toEqual([]);
    expect(await listed()).toEqual([]);
  });

  it("begins with an empty desk after a crash", async () => {
    const { digest } = await store.put(chunks(randomBytes(10), 10));
    await writeFile(join(directory, "incoming", "half"), "half");
    store = await openFileBlobStore(directory);
    expect(await incoming()).toEqual([]);
    expect(await store.has(digest)).toBe(true);
  });
});

describe("reading", () => {
  it("gives a range, both ends included", async () => {
    const { digest } = await store.put(chunks(Buffer.from("0123456789"), 3));
    expect((await buffer(store.read(digest, { start: 2, end: 4 }))).toString()).toBe("234");
    expect(await store.info(digest)).toEqual({ digest, sizeBytes: 10 });
  });

  it("says what is not there, and refuses what is no digest", async () => {
    const digest = digestOf(Buffer.from("nothing"));
    expect(await store.has(digest)).toBe(false);
    await expect(store.info(digest)).rejects.toMatchObject({ code: "BlobNotFound" });
    await expect(buffer(store.read(digest))).rejects.toMatchObject({ code: "BlobNotFound" });
    for (const bad of ["sha256:../../etc/passwd", "md5:abc", `sha256:${"A".repeat(64)}`])
      expect(() => store.path(bad)).toThrow("is not a digest");
  });
});

describe("materializing", () => {
  it("puts the blob where it is wanted, also twice and over something else", async () => {
    const { digest } = await store.put(chunks(Buffer.from("model"), 5));
    const destination = join(directory, "out", "deep", "model.pkl");
    await store.materialize(digest, destination);
    await store.materialize(digest, destination);
    expect(await readFile(destination, "utf8")).toBe("model");
    expect((await stat(destination)).ino).toBe((await stat(store.path(digest))).ino);
    const other = join(directory, "out", "other");
    await writeFile(other, "half a copy");
    await store.materialize(digest, other);
    expect(await readFile(other, "utf8")).toBe("model");
    expect((await readdir(join(directory, "out"))).sort()).toEqual(["deep", "other"]);
    expect((await stat(destination)).mode & 0o222).toBe(0);
  });
});

it("deletes, and adopts a finished file", async () => {
  const file = join(directory, "finished");
  await writeFile(file, "whole");
  const digest = digestOf(Buffer.from("whole"));
  expect(await store.adopt(file, digest)).toEqual({ digest, sizeBytes: 5 });
  await expect(stat(file)).rejects.toThrow("ENOENT");
  await store.delete(digest);
  await store.delete(digest);
  expect(await store.has(digest)).toBe(false);
});
