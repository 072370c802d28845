import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, mkdir, open, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { BlobInfo, BlobStore } from "../platform/blob-store/blob-store.ts";
import { writeStream } from "../platform/blob-store/write-stream.ts";
import { errnoCode } from "../platform/errors.ts";
import { blockListInvalid, uploadBroken } from "./upload-errors.ts";

const READ_BYTES = 1024 * 1024;

export interface StagedBlock {
  /** base64, as the client named it */
  readonly id: string;
  readonly sizeBytes: number;
}

/** A block that arrives: how long it is, and where in the whole file it belongs if the client says so. */
export interface BlockPlace {
  readonly sizeBytes: number;
  readonly offset?: number | undefined;
}

interface Segment {
  readonly offset: number;
  readonly sizeBytes: number;
}

export type StagingArea = Awaited<ReturnType<typeof openStagingArea>>;

/**
 * One writer's blocks of one upload. Their bytes lie in one file, in the order in which they came or where the client said
 * they belong; if that is the order of the block list, this file becomes the blob and nothing is written twice. A line of
 * `blocks.log` makes a block count.
 *
 * Blocks survive the process, not the machine: they are not synced one by one, so after another boot they are forgotten
 * rather than trusted, and the client sends them again.
 */
export async function openStagingArea(folder: string, bootId: string) {
  const dataFile = join(folder, "data");
  const logFile = join(folder, "blocks.log");
  await mkdir(folder, { recursive: true });
  const blocks = await readLog(logFile, dataFile, bootId);
  if (blocks.size === 0) {
    await rm(dataFile, { force: true });
    await writeFile(logFile, `boot ${bootId}\n`, { mode: 0o600 });
  }
  const data = await open(dataFile, blocks.size === 0 ? "w+" : "r+", 0o600);
  const log = await open(logFile, "a");
  let end = [...blocks.values()].reduce((most, { offset, sizeBytes }) => Math.max(most, offset + sizeBytes), 0);
  let isFlushing = false;

  /** The disk begins to write while blocks still come, so that the sync at the end is short. */
  async function flushInBackground(): Promise<void> {
    if (isFlushing) return;
    isFlushing = true;
    // The sync of the finished file reports what goes wrong here.
    await data.datasync().catch(() => {});
    isFlushing = false;
  }

  /** After this no block can change the bytes: writes that are under way end first, later ones fail with EBADF. */
  async function close(): Promise<void> {
    await data.close();
    await log.close();
  }

  return {
    close,

    /** Sent again without an offset, a block gets a place of its own: the earlier one counts until the new one is whole. */
    async put(blockId: string, bytes: AsyncIterable<Uint8Array>, place: BlockPlace): Promise<void> {
      const { sizeBytes, offset = end } = place;
      end = Math.max(end, offset + sizeBytes);
      const written = await writeStream(data, bytes, { position: offset });
      if (written !== sizeBytes) throw uploadBroken(new Error(`${written} of ${sizeBytes} bytes came.`));
      await log.appendFile(`${blockId} ${offset} ${sizeBytes}\n`);
      blocks.set(blockId, { offset, sizeBytes });
      void flushInBackground();
    },

    /** In the order in which they came first. */
    list(): StagedBlock[] {
      return [...blocks].map(([id, { sizeBytes }]) => ({ id, sizeBytes }));
    },

    /** Ends the area, whatever the outcome. @throws {AppError} InvalidBlockList naming a block that was never sent */
    async assemble(blockIds: readonly string[], blobs: BlobStore, expected: string | undefined): Promise<BlobInfo> {
      const segments = blockIds.map((id) => {
        const segment = blocks.get(id);
        if (segment === undefined) throw blockListInvalid(`the block ${JSON.stringify(id)} was never sent`);
        return segment;
      });
      await close();
      if (!isWholeFile(segments, end)) return blobs.put(readSegments(dataFile, segments), { expected });
      const digest = await syncAndHash(dataFile);
      // What does not match goes through the store's own check, which refuses it in its own words.
      if (expected !== undefined && digest !== expected)
        return blobs.put(readSegments(dataFile, segments), { expected });
      return blobs.adopt(dataFile, digest);
    },
  };
}

function isWholeFile(segments: readonly Segment[], fileBytes: number): boolean {
  let offset = 0;
  for (const segment of segments) {
    if (segment.offset !== offset) return false;
    offset += segment.sizeBytes;
  }
  return offset === fileBytes && fileBytes > 0;
}

async function* readSegments(file: string, segments: readonly Segment[]): AsyncGenerator<Uint8Array> {
  for (const { offset, sizeBytes } of segments) {
    if (sizeBytes === 0) continue;
    yield* createReadStream(file, { start: offset, end: offset + sizeBytes - 1, highWaterMark: READ_BYTES });
  }
}

async function syncAndHash(file: string): Promise<string> {
  const handle = await open(file, "r");
  try {
    const syncing = handle.sync();
    const [digest] = await Promise.all([hashOf(handle), syncing]);
    return digest;
  } finally {
    await handle.close();
  }
}

async function hashOf(handle: FileHandle): Promise<string> {
  const hash = createHash("sha256");
  let piece = Buffer.allocUnsafe(READ_BYTES);
  let other = Buffer.allocUnsafe(READ_BYTES);
  let position = 0;
  let reading = handle.read(piece, 0, READ_BYTES, position);
  for (;;) {
    const { bytesRead } = await reading;
    if (bytesRead === 0) return `sha256:${hash.digest("hex")}`;
    position += bytesRead;
    // The thread pool reads the next piece while this one is hashed.
    reading = handle.read(other, 0, READ_BYTES, position);
    reading.catch(() => {});
    hash.update(piece.subarray(0, bytesRead));
    [piece, other] = [other, piece];
  }
}

/** The blocks of this boot. A line that a killed process left unfinished has no end and does not count. */
async function readLog(logFile: string, dataFile: string, bootId: string): Promise<Map<string, Segment>> {
  const blocks = new Map<string, Segment>();
  let text: string;
  try {
    await stat(dataFile);
    text = await readFile(logFile, "utf8");
  } catch (error) {
    if (errnoCode(error) === "ENOENT") return blocks;
    throw error;
  }
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  const [boot, ...lines] = whole.split("\n").slice(0, -1);
  if (boot !== `boot ${bootId}`) return blocks;
  // The next line must not continue the unfinished one.
  if (whole.length < text.length) await truncate(logFile, whole.length);
  for (const line of lines) {
    const [id, offset, sizeBytes] = line.split(" ");
    if (id !== undefined) blocks.set(id, { offset: Number(offset), sizeBytes: Number(sizeBytes) });
  }
  return blocks;
}
