import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { pack } from "tar-stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import { takeSavedLayer } from "./saved-layer.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-saved-"));
});
afterEach(() => rm(folder, { recursive: true }));

const hex = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
// No smaller when they are compressed, as real layers hardly are.
const lower = randomBytes(20_000);
const wanted = randomBytes(100_000);

async function* archive(members: Readonly<Record<string, Buffer>>): AsyncIterable<Uint8Array> {
  const tar = pack();
  for (const [name, content] of Object.entries(members)) tar.entry({ name }, content);
  tar.finalize();
  yield* tar as AsyncIterable<Buffer>;
}

async function take(members: Readonly<Record<string, Buffer>>) {
  const file = join(folder, "layer.tar");
  const others = [`sha256:${hex(lower)}`];
  const signal = AbortSignal.timeout(15_000);
  const found = await takeSavedLayer(archive(members), `sha256:${hex(wanted)}`, others, file, signal);
  return found ? readFile(file) : undefined;
}

test.each([
  ["Docker's newer way", { [`blobs/sha256/${hex(lower)}`]: lower, [`blobs/sha256/${hex(wanted)}`]: wanted }],
  ["Docker's older way", { "one/layer.tar": lower, "one/json": Buffer.from("{}"), "two/layer.tar": wanted }],
  ["with gzip", { "blobs/sha256/one": gzipSync(lower), "blobs/sha256/two": gzipSync(wanted) }],
  ["with zstd", { "blobs/sha256/one": zstdCompressSync(lower), "blobs/sha256/two": zstdCompressSync(wanted) }],
  ["before others", { [`${hex(wanted)}.tar`]: wanted, "another.tar": lower }],
])("a layer is found by its digest: %s", async (_way, members) => {
  expect((await take(members))?.equals(wanted)).toBe(true);
});

test("a layer that is not there is not found", async () => {
  expect(await take({ "one/layer.tar": lower, "manifest.json": Buffer.from("[]") })).toBeUndefined();
  expect(await take({ "one/layer.tar": wanted.subarray(1) })).toBeUndefined();
});

test("an archive that breaks off is an error", async () => {
  async function* broken() {
    for await (const chunk of archive({ "one/layer.tar": wanted })) {
      yield chunk.subarray(0, 600);
      throw new Error("the engine is gone");
    }
  }
  const taking = takeSavedLayer(broken(), "sha256:0", [], join(folder, "layer.tar"), AbortSignal.timeout(15_000));
  await expect(taking).rejects.toThrow("the engine is gone");
});
