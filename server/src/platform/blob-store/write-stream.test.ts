import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { writeStream } from "./write-stream.ts";

const KIB = 1024;
const bytes = randomBytes(4_200 * KIB);

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-write-stream-"));
});
afterEach(() => rm(folder, { recursive: true }));

/** The length of the first chunk differs from the others', so that pieces end inside of chunks. */
async function* chunks(from: Buffer, first: number, each: number): AsyncGenerator<Uint8Array> {
  yield from.subarray(0, first);
  for (let at = first; at < from.length; at += each) yield from.subarray(at, at + each);
}

it.each([0, 1, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 1088 * KIB, 1088 * KIB + 1, 2112 * KIB, 4_200 * KIB])(
  "writes and hashes %d bytes, however they come",
  async (size) => {
    const all = bytes.subarray(0, size);
    for (const each of [7_777, 64 * KIB, 5_000 * KIB]) {
      const file = join(folder, String(each));
      const hash = createHash("sha256");
      await using handle = await open(file, "wx");
      expect(await writeStream(handle, chunks(all, 333, each), { hash, position: 5 })).toBe(size);
      const written = await readFile(file);
      expect(written.subarray(5).equals(all), `${each} at once`).toBe(true);
      expect(hash.digest("hex")).toBe(createHash("sha256").update(all).digest("hex"));
    }
  },
);
