import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { extract } from "tar-stream";

/** No layer is smaller; descriptions of images are read past. */
const SMALLEST_TAR = 1024;

/**
 * Takes one layer out of an image that the engine saves, as plain tar. How engines call layers in there differs with their release
 * and store, and some compress them: the digest alone tells which it is.
 *
 * @param archive answer to `GET /images/{name}/get`; it is not read further than the layer
 * @param diffId digest of the uncompressed layer
 * @param others digests of layers that it is not: what is called after one of them is passed over
 * @param file is written; whole when this returns true
 */
export async function takeSavedLayer(
  archive: AsyncIterable<Uint8Array>,
  diffId: string,
  others: readonly string[],
  file: string,
  signal: AbortSignal,
): Promise<boolean> {
  const known = others.map((digest) => digest.replace("sha256:", ""));
  const tar = extract();
  const reading = pipeline(Readable.from(archive), tar, { signal });
  // Its failure is thrown by the loop, too; and what comes after the layer is not wanted.
  reading.catch(() => {});
  for await (const entry of tar) {
    const { name, type, size = 0 } = entry.header;
    const mayBe = type === "file" && size >= SMALLEST_TAR && !known.some((digest) => name.includes(digest));
    const isIt = mayBe && (await writePlain(entry as unknown as AsyncIterable<Buffer>, file, signal)) === diffId;
    entry.resume();
    if (isIt) return true;
  }
  await reading;
  return false;
}

/** @returns the digest of what was written */
async function writePlain(bytes: AsyncIterable<Buffer>, file: string, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  const hashing = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  const iterator = bytes[Symbol.asyncIterator]();
  const first = await iterator.next();
  const head = first.done === true ? Buffer.alloc(0) : first.value;
  async function* all(): AsyncIterable<Buffer> {
    yield head;
    yield* { [Symbol.asyncIterator]: () => iterator };
  }
  await pipeline([Readable.from(all()), ...decompression(head), hashing, createWriteStream(file)], { signal });
  return `sha256:${hash.digest("hex")}`;
}

/** By the first bytes, since names do not tell. */
function decompression(head: Buffer) {
  const magic = head.subarray(0, 4).toString("hex");
  if (magic.startsWith("1f8b")) return [createGunzip()];
  return magic === "28b52ffd" ? [createZstdDecompress()] : [];
}
