import { createReadStream } from "node:fs";
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { writeStream } from "../platform/blob-store/write-stream.ts";
import type { Clock } from "../platform/clock.ts";
import { errnoCode } from "../platform/errors.ts";
import { newShortId } from "../platform/ids.ts";
import { blockListInvalid } from "./upload-errors.ts";

/** As the blob protocol has it: 64 bytes before base64, 50,000 blocks. */
const MAX_BLOCK_ID_BYTES = 64;
const KEPT_MS = 7 * 24 * 60 * 60 * 1000;
/** never the end of a block's name, which is hexadecimal */
const UNFINISHED = ".part";
const READ_BYTES = 1024 * 1024;

export interface StagedBlock {
  /** base64, as the client named it */
  readonly id: string;
  readonly sizeBytes: number;
}

/** One writer's uncommitted blocks of one upload. */
export interface BlockArea {
  readonly uploadId: string;
  readonly stagingArea: string;
}

export type StagedBlocks = ReturnType<typeof createStagedBlocks>;

/**
 * Uncommitted blocks as files `DIR/UPLOAD/AREA/HEX`, so that an upload goes on after a restart. A block appears under its
 * name when it is whole and on disk.
 */
export function createStagedBlocks(directory: string) {
  const folderOf = (area: BlockArea) => join(directory, area.uploadId, area.stagingArea);

  return {
    /** Sent again, a block replaces the earlier one. `bytes` may throw at its end: then nothing is kept. */
    async put(area: BlockArea, blockId: string, bytes: AsyncIterable<Uint8Array>): Promise<void> {
      const folder = folderOf(area);
      await mkdir(folder, { recursive: true });
      const unfinished = join(folder, newShortId() + UNFINISHED);
      try {
        const handle = await open(unfinished, "wx", 0o600);
        try {
          await writeStream(handle, bytes);
          // The client is told that the block is safe: a lost block would otherwise become a hole in a model.
          await handle.datasync();
        } finally {
          await handle.close();
        }
        await rename(unfinished, join(folder, fileName(blockId)));
      } catch (error) {
        await rm(unfinished, { force: true });
        throw error;
      }
    },

    /** Sorted by name of the block. */
    async list(area: BlockArea): Promise<StagedBlock[]> {
      const blocks: StagedBlock[] = [];
      for (const name of (await entries(folderOf(area))).sort()) {
        if (name.endsWith(UNFINISHED)) continue;
        const { size } = await stat(join(folderOf(area), name));
        blocks.push({ id: Buffer.from(name, "hex").toString("base64"), sizeBytes: size });
      }
      return blocks;
    },

    /** The bytes of these blocks one after another. @throws {AppError} InvalidBlockList naming a block that was never sent */
    async *read(area: BlockArea, blockIds: readonly string[]): AsyncIterable<Uint8Array> {
      const sent = new Set(await entries(folderOf(area)));
      const missing = blockIds.find((id) => !sent.has(fileName(id)));
      if (missing !== undefined) throw blockListInvalid(`the block ${JSON.stringify(missing)} was never sent`);
      for (const id of blockIds) {
        yield* createReadStream(join(folderOf(area), fileName(id)), { highWaterMark: READ_BYTES });
      }
    },

    async discard(area: BlockArea): Promise<void> {
      await rm(folderOf(area), { recursive: true, force: true });
    },

    /** Of all writers. */
    async discardAll(uploadId: string): Promise<void> {
      await rm(join(directory, uploadId), { recursive: true, force: true });
    },

    /** Removes what nobody will commit: unfinished blocks of a process that is gone, uploads untouched for a week, finished ones. */
    async sweep(clock: Clock, isFinished: (uploadId: string) => Promise<boolean>): Promise<void> {
      const oldest = clock.now().getTime() - KEPT_MS;
      for (const uploadId of await entries(directory)) {
        if (await isFinished(uploadId)) await this.discardAll(uploadId);
        for (const stagingArea of await entries(join(directory, uploadId))) {
          const folder = folderOf({ uploadId, stagingArea });
          // Every block that arrives changes the time of its folder.
          if ((await stat(folder)).mtimeMs < oldest) await rm(folder, { recursive: true });
          for (const name of await entries(folder)) if (name.endsWith(UNFINISHED)) await rm(join(folder, name));
        }
        if ((await entries(join(directory, uploadId))).length === 0) await this.discardAll(uploadId);
      }
    },
  };
}

export function isBlockId(id: unknown): id is string {
  if (typeof id !== "string") return false;
  const bytes = Buffer.from(id, "base64");
  return bytes.length > 0 && bytes.length <= MAX_BLOCK_ID_BYTES && bytes.toString("base64") === id;
}

function fileName(blockId: string): string {
  return Buffer.from(blockId, "base64").toString("hex");
}

async function entries(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (errnoCode(error) === "ENOENT") return [];
    throw error;
  }
}
