import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, mkdir, open, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { BlobStore } from "../platform/blob-store/blob-store.ts";
import { writeStream } from "../platform/blob-store/write-stream.ts";
import { errnoCode } from "../platform/errors.ts";
import { newHexId } from "../platform/ids.ts";
import type { Repository } from "./registry.ts";
import { digestMismatch, uploadBusy, uploadRangeInvalid, uploadUnknown } from "./registry-errors.ts";
import type { RepositoryBlob } from "./repository-blob-store.ts";

const SESSION_ID = /^[0-9a-f]{32}$/;
const READ_BYTES = 1024 * 1024;
/** The disk begins to write while bytes still come, so that the sync at the end is short. */
const SYNC_STEP_BYTES = 64 * 1024 * 1024;
/** Running hashes that are kept between two requests; without one, the file is read once more at the end. */
const KEPT_HASHES = 1_000;

/** A piece of an upload; `start` is where the client says that it begins. */
export interface Chunk {
  readonly bytes: AsyncIterable<Uint8Array>;
  readonly start?: number | undefined;
}

interface RunningHash {
  readonly hash: Hash;
  readonly bytes: number;
}

export type UploadSessions = Awaited<ReturnType<typeof openUploadSessions>>;

/**
 * Uploads of blobs that are under way: one file each, whose name says whose it is and whose length is how far it came. They survive the
 * process; a client asks for the length and goes on from there. What a power cut leaves of one is found out by the digest at its end.
 */
export async function openUploadSessions(directory: string, blobs: BlobStore) {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const busy = new Set<string>();
  const hashes = new Map<string, RunningHash>();

  function fileOf(repository: Repository, id: string): string {
    if (!SESSION_ID.test(id)) throw uploadUnknown(id, repository.name);
    const name = createHash("sha256").update(repository.name).digest("hex");
    return join(directory, `${repository.workspaceId}.${name}.${id}`);
  }

  async function sizeOf(repository: Repository, id: string): Promise<number> {
    try {
      return (await stat(fileOf(repository, id))).size;
    } catch (error) {
      if (errnoCode(error) === "ENOENT") throw uploadUnknown(id, repository.name);
      throw error;
    }
  }

  /** One request at a time: what was hashed must be what is kept. */
  async function alone<Result>(id: string, work: () => Promise<Result>): Promise<Result> {
    if (busy.has(id)) throw uploadBusy(id);
    busy.add(id);
    try {
      return await work();
    } finally {
      busy.delete(id);
    }
  }

  function takeHash(id: string, size: number): Hash | undefined {
    const running = hashes.get(id);
    hashes.delete(id);
    if (running?.bytes === size) return running.hash;
    return size === 0 ? createHash("sha256") : undefined;
  }

  function keepHash(id: string, hash: Hash | undefined, bytes: number): void {
    if (hash === undefined) return;
    const [oldest] = hashes.size >= KEPT_HASHES ? hashes.keys() : [];
    if (oldest !== undefined) hashes.delete(oldest);
    hashes.set(id, { hash, bytes });
  }

  async function discard(file: string, id: string): Promise<void> {
    hashes.delete(id);
    await rm(file, { force: true });
  }

  return {
    sizeOf,

    async start(repository: Repository): Promise<string> {
      const id = newHexId();
      const handle = await open(fileOf(repository, id), "wx", 0o600);
      await handle.close();
      return id;
    },

    /**
     * Adds bytes at the end. Those that came before a connection broke stay.
     *
     * @returns the size of all
     * @throws {AppError} BLOB_UPLOAD_UNKNOWN, RANGE_INVALID when `start` is not the end, BLOB_UPLOAD_INVALID when another request writes
     */
    append(repository: Repository, id: string, { bytes, start }: Chunk): Promise<number> {
      return alone(id, async () => {
        const size = await sizeOf(repository, id);
        if (start !== undefined && start !== size) throw uploadRangeInvalid(start, size);
        const file = fileOf(repository, id);
        const hash = takeHash(id, size);
        const handle = await open(file, "r+");
        try {
          const written = await writeStream(handle, syncing(handle, bytes), {
            position: size,
            ...(hash === undefined ? {} : { hash }),
          });
          keepHash(id, hash, size + written);
          return size + written;
        } catch (error) {
          // The client begins again; what it sent so far would only keep the disk full.
          if (errnoCode(error) === "ENOSPC") await discard(file, id);
          throw error;
        } finally {
          await handle.close();
        }
      });
    },

    /** Makes the blob. Bytes that are not the announced ones end the upload as well. @throws {AppError} DIGEST_INVALID */
    finish(repository: Repository, id: string, expected: string): Promise<RepositoryBlob> {
      return alone(id, async () => {
        const sizeBytes = await sizeOf(repository, id);
        const file = fileOf(repository, id);
        const blob = await syncAndHash(file, takeHash(id, sizeBytes));
        const digest = expected.startsWith("sha512:") ? await hashFile(file, "sha512") : blob;
        if (digest !== expected) {
          await discard(file, id);
          throw digestMismatch(expected, digest);
        }
        await blobs.adopt(file, blob);
        return { digest, blob, sizeBytes };
      });
    },

    /** @throws {AppError} BLOB_UPLOAD_UNKNOWN */
    cancel(repository: Repository, id: string): Promise<void> {
      return alone(id, async () => {
        await sizeOf(repository, id);
        await discard(fileOf(repository, id), id);
      });
    },

    /** How much the unfinished uploads of a workspace have on the disk. */
    async pendingBytes(workspaceId: string): Promise<number> {
      const names = (await readdir(directory)).filter((name) => name.startsWith(`${workspaceId}.`));
      const sizes = await Promise.all(names.map((name) => stat(join(directory, name)).catch(() => ({ size: 0 }))));
      return sizes.reduce((sum, { size }) => sum + size, 0);
    },

    /** Uploads that nobody went on with since `before`. */
    async stale(before: Date): Promise<{ readonly count: number; readonly bytes: number; remove(): Promise<void> }> {
      const found: { readonly file: string; readonly id: string; readonly size: number }[] = [];
      for (const name of await readdir(directory)) {
        const id = name.split(".").at(-1) ?? "";
        const facts = await stat(join(directory, name)).catch(() => undefined);
        if (facts === undefined || facts.mtime >= before || busy.has(id)) continue;
        found.push({ file: join(directory, name), id, size: facts.size });
      }
      return {
        count: found.length,
        bytes: found.reduce((sum, { size }) => sum + size, 0),
        async remove() {
          for (const { file, id } of found) if (!busy.has(id)) await discard(file, id);
        },
      };
    },
  };
}

async function* syncing(handle: FileHandle, bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let unsynced = 0;
  let sync: Promise<void> | undefined;
  try {
    for await (const chunk of bytes) {
      unsynced += chunk.length;
      if (unsynced >= SYNC_STEP_BYTES && sync === undefined) {
        unsynced = 0;
        // The sync of the finished file reports what goes wrong here.
        sync = handle
          .datasync()
          .catch(() => {})
          .finally(() => {
            sync = undefined;
          });
      }
      yield chunk;
    }
  } finally {
    await sync;
  }
}

async function syncAndHash(file: string, running: Hash | undefined): Promise<string> {
  const handle = await open(file, "r");
  try {
    const [, digest] = await Promise.all([
      handle.sync(),
      running === undefined ? hashFile(file, "sha256") : `sha256:${running.digest("hex")}`,
    ]);
    return digest;
  } finally {
    await handle.close();
  }
}

async function hashFile(file: string, algorithm: "sha256" | "sha512"): Promise<string> {
  const hash = createHash(algorithm);
  for await (const chunk of createReadStream(file, { highWaterMark: READ_BYTES })) hash.update(chunk as Buffer);
  return `${algorithm}:${hash.digest("hex")}`;
}
