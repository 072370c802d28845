import { once } from "node:events";
import { open } from "node:fs/promises";
import { type Header, pack } from "tar-stream";
import { layerDamaged } from "./registry-errors.ts";

/** One member of a layer. Owner, time and names are left out, so that the same files give the same bytes anywhere. */
export type TarEntry =
  | { readonly type: "directory"; readonly name: string }
  | {
      readonly type: "file";
      readonly name: string;
      /** absolute path of the bytes */
      readonly path: string;
      readonly sizeBytes: number;
      readonly executable: boolean;
    }
  /** `target` as the link has it */
  | { readonly type: "link"; readonly name: string; readonly target: string };

/** A piece of a tar: bytes at hand, or a file with its length. */
export type TarSegment = Buffer | { readonly path: string; readonly sizeBytes: number };

const BLOCK = 512;
const END_OF_TAR = Buffer.alloc(2 * BLOCK);
const READ_BYTES = 1024 * 1024;

/** The whole tar in pieces, one after the other: an environment has tens of thousands. No file is opened. */
export async function* tarSegments(entries: readonly TarEntry[]): AsyncIterable<TarSegment> {
  for (const entry of entries) {
    yield await header(entry);
    if (entry.type !== "file" || entry.sizeBytes === 0) continue;
    yield { path: entry.path, sizeBytes: entry.sizeBytes };
    const rest = entry.sizeBytes % BLOCK;
    if (rest > 0) yield END_OF_TAR.subarray(0, BLOCK - rest);
  }
  yield END_OF_TAR;
}

async function header(entry: TarEntry): Promise<Buffer> {
  const stream = pack();
  stream.entry({ ...headerOf(entry), mtime: new Date(0) });
  await once(stream, "readable");
  const blocks: Buffer[] = [];
  const next = () => stream.read() as Buffer | null;
  for (let block = next(); block !== null; block = next()) blocks.push(block);
  stream.destroy();
  return Buffer.concat(blocks);
}

function headerOf(entry: TarEntry): Partial<Header> & Pick<Header, "name"> {
  switch (entry.type) {
    case "directory":
      return { name: `${entry.name}/`, type: "directory", mode: 0o755, size: 0 };
    case "file":
      return { name: entry.name, type: "file", mode: entry.executable ? 0o755 : 0o644, size: entry.sizeBytes };
    case "link":
      return { name: entry.name, type: "symlink", mode: 0o777, size: 0, linkname: entry.target };
  }
}

export function segmentBytes(segment: TarSegment): number {
  return Buffer.isBuffer(segment) ? segment.length : segment.sizeBytes;
}

/**
 * Streams the tar, or the part of it from `start` to `end` (both counted in).
 *
 * @throws {AppError} LayerDamaged when a file is gone or shorter than planned
 */
export async function* readTar(
  entries: readonly TarEntry[],
  range: { readonly start: number; readonly end: number } = { start: 0, end: Number.POSITIVE_INFINITY },
): AsyncIterable<Uint8Array> {
  let position = 0;
  for await (const segment of tarSegments(entries)) {
    const length = segmentBytes(segment);
    const from = Math.max(0, range.start - position);
    const to = Math.min(length, range.end + 1 - position);
    if (from < to) {
      if (Buffer.isBuffer(segment)) yield segment.subarray(from, to);
      else yield* readFilePart(segment.path, from, to);
    }
    position += length;
    if (position > range.end) return;
  }
}

async function* readFilePart(path: string, from: number, to: number): AsyncIterable<Uint8Array> {
  const handle = await open(path, "r").catch((error) => {
    throw layerDamaged(path, error);
  });
  try {
    for (let position = from; position < to; ) {
      const chunk = Buffer.allocUnsafe(Math.min(READ_BYTES, to - position));
      const { bytesRead } = await handle.read(chunk, 0, chunk.length, position);
      if (bytesRead === 0) throw layerDamaged(path, undefined);
      yield chunk.subarray(0, bytesRead);
      position += bytesRead;
    }
  } finally {
    await handle.close();
  }
}
