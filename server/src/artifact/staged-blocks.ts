import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { BlobInfo, BlobStore } from "../platform/blob-store/blob-store.ts";
import type { Clock } from "../platform/clock.ts";
import { errnoCode } from "../platform/errors.ts";
import { type BlockPlace, openStagingArea, type StagedBlock, type StagingArea } from "./staging-area.ts";
import { uploadBusy } from "./upload-errors.ts";

/** As the blob protocol has it. */
const MAX_BLOCK_ID_BYTES = 64;
const KEPT_MS = 7 * 24 * 60 * 60 * 1000;
/** An area without requests gives its files and memory back; the next block opens it again. */
const IDLE_MS = 60_000;

/** Names one writer's uncommitted blocks of one upload. */
export interface AreaName {
  readonly uploadId: string;
  readonly stagingArea: string;
}

interface OpenArea {
  readonly area: Promise<StagingArea>;
  users: number;
  committing: boolean;
  idle: NodeJS.Timeout | undefined;
}

export type StagedBlocks = ReturnType<typeof createStagedBlocks>;

/** Uncommitted blocks, in folders `DIR/UPLOAD/AREA`, so that an upload goes on after a restart. */
export function createStagedBlocks(directory: string, bootId: string) {
  const openAreas = new Map<string, OpenArea>();
  const folderOf = (name: AreaName) => join(directory, name.uploadId, name.stagingArea);

  async function use<Result>(name: AreaName, work: (area: StagingArea, entry: OpenArea) => Promise<Result> | Result) {
    const folder = folderOf(name);
    const entry = openAreas.get(folder) ?? {
      area: openStagingArea(folder, bootId),
      users: 0,
      committing: false,
      idle: undefined,
    };
    // Nobody may write beside a commit: what was hashed must be what is kept.
    if (entry.committing) throw uploadBusy();
    openAreas.set(folder, entry);
    clearTimeout(entry.idle);
    entry.users += 1;
    try {
      return await work(await entry.area, entry);
    } finally {
      entry.users -= 1;
      if (entry.users === 0) entry.idle = setTimeout(() => void forget(folder, entry), IDLE_MS).unref();
    }
  }

  async function forget(folder: string, entry: OpenArea): Promise<void> {
    clearTimeout(entry.idle);
    if (openAreas.get(folder) === entry) openAreas.delete(folder);
    const area = await entry.area.catch(() => undefined);
    await area?.close();
  }

  async function discard(name: AreaName): Promise<void> {
    const folder = folderOf(name);
    const entry = openAreas.get(folder);
    if (entry !== undefined) await forget(folder, entry);
    await rm(folder, { recursive: true, force: true });
  }

  return {
    discard,

    /** Sent again, a block replaces the earlier one. `bytes` may throw at its end: then the block does not count. */
    async put(name: AreaName, blockId: string, bytes: AsyncIterable<Uint8Array>, place: BlockPlace): Promise<void> {
      await use(name, (area) => area.put(blockId, bytes, place));
    },

    async list(name: AreaName): Promise<StagedBlock[]> {
      return use(name, (area) => area.list());
    },

    /** The blocks in this order as one blob. Afterwards the caller discards the area, or blocks may come again. */
    async assemble(
      name: AreaName,
      blockIds: readonly string[],
      blobs: BlobStore,
      expected: string | undefined,
    ): Promise<BlobInfo> {
      return use(name, async (area, entry) => {
        entry.committing = true;
        try {
          return await area.assemble(blockIds, blobs, expected);
        } finally {
          await forget(folderOf(name), entry);
        }
      });
    },

    /** Gives files and timers back; the blocks stay. */
    async close(): Promise<void> {
      for (const [folder, entry] of openAreas) await forget(folder, entry);
    },

    /** The areas of all uploads. */
    async areas(): Promise<string[]> {
      const uploads = await entries(directory);
      return (await Promise.all(uploads.map((uploadId) => entries(join(directory, uploadId))))).flat();
    },

    /** Of all writers. */
    async discardAll(uploadId: string): Promise<void> {
      for (const stagingArea of await entries(join(directory, uploadId))) await discard({ uploadId, stagingArea });
      await rm(join(directory, uploadId), { recursive: true, force: true });
    },

    /** Removes what nobody will commit: blocks of finished uploads, and those untouched for a week. Before the first use. */
    async sweep(clock: Clock, isFinished: (uploadId: string) => Promise<boolean>): Promise<void> {
      const oldest = clock.now().getTime() - KEPT_MS;
      for (const uploadId of await entries(directory)) {
        if (await isFinished(uploadId)) await this.discardAll(uploadId);
        for (const stagingArea of await entries(join(directory, uploadId))) {
          if ((await lastChange(folderOf({ uploadId, stagingArea }))) < oldest)
            await discard({ uploadId, stagingArea });
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

async function lastChange(folder: string): Promise<number> {
  const times = await Promise.all(
    (await entries(folder)).map(async (name) => (await stat(join(folder, name))).mtimeMs),
  );
  return Math.max((await stat(folder)).mtimeMs, ...times);
}

async function entries(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (errnoCode(error) === "ENOENT") return [];
    throw error;
  }
}
