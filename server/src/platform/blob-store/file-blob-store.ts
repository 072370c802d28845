import { createHash } from "node:crypto";
import { createReadStream, rmSync, statSync, utimesSync } from "node:fs";
import { chmod, copyFile, link, mkdir, open, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { AppError, errnoCode } from "../errors.ts";
import { newShortId } from "../ids.ts";
import { createKeyedLock } from "../keyed-lock.ts";
import type { BlobInfo, BlobStore } from "./blob-store.ts";
import { openPartialBlobs } from "./partial-blobs.ts";
import { writeStream } from "./write-stream.ts";

const DIGEST = /^sha256:([0-9a-f]{64})$/;

/** Blobs as files `DIR/sha256/ab/abcdef…`, unfinished ones in `DIR/incoming` and `DIR/partial`. */
export async function openFileBlobStore(directory: string): Promise<BlobStore> {
  const incoming = join(directory, "incoming");
  // What a killed process left half-written is nobody's: uploads begin again.
  await rm(incoming, { recursive: true, force: true });
  await mkdir(incoming, { recursive: true });
  const partial = await openPartialBlobs(join(directory, "partial"));
  const lock = createKeyedLock();

  function path(digest: string): string {
    const hex = DIGEST.exec(digest)?.[1];
    if (hex === undefined) throw invalidDigest(digest);
    return join(directory, "sha256", hex.slice(0, 2), hex);
  }

  /** of the 256 that there may be, those that are known to be there */
  const folders = new Set<string>();
  async function makeFolder(folder: string): Promise<void> {
    if (folders.has(folder)) return;
    await mkdir(folder, { recursive: true });
    folders.add(folder);
  }

  async function place(file: string, digest: string): Promise<void> {
    const destination = path(digest);
    await makeFolder(dirname(destination));
    await chmod(file, 0o444);
    // An upload may have waited long for its end; it must not look old before somebody names it.
    await utimes(file, new Date(), new Date());
    await rename(file, destination);
    await syncFolder(dirname(destination));
  }

  async function info(digest: string): Promise<BlobInfo> {
    try {
      return { digest, sizeBytes: (await stat(path(digest))).size };
    } catch (error) {
      if (errnoCode(error) === "ENOENT") throw blobNotFound(digest, error);
      throw error;
    }
  }

  /** Synchronous, so that between the look and the new time nothing can be deleted. */
  function keep(digest: string): boolean {
    const now = new Date();
    try {
      utimesSync(path(digest), now, now);
      return true;
    } catch (error) {
      if (errnoCode(error) === "ENOENT") return false;
      throw error;
    }
  }

  function sizeIfOlder(digest: string, before: Date): number | undefined {
    const found = statSync(path(digest), { throwIfNoEntry: false });
    return found === undefined || found.mtime >= before ? undefined : found.size;
  }

  return {
    path,
    info,
    async put(bytes, options = {}) {
      const file = join(incoming, newShortId());
      const hash = createHash("sha256");
      const handle = await open(file, "wx", 0o600);
      try {
        let sizeBytes: number;
        let digest: string;
        try {
          sizeBytes = await writeStream(handle, bytes, { hash, signal: options.signal });
          digest = `sha256:${hash.digest("hex")}`;
          if (options.expected !== undefined && options.expected !== digest)
            throw digestMismatch(options.expected, digest);
          if (keep(digest)) {
            await rm(file);
            return { digest, sizeBytes };
          }
          await handle.sync();
        } finally {
          await handle.close();
        }
        await place(file, digest);
        return { digest, sizeBytes };
      } catch (error) {
        await rm(file, { force: true });
        throw error;
      }
    },
    receive(digest, from, signal) {
      const name = basename(path(digest));
      const work = async () => {
        if (keep(digest)) return info(digest);
        const { file, digest: actual, sizeBytes } = await partial.receive(name, from, signal);
        if (actual !== digest) {
          await rm(file);
          throw digestMismatch(digest, actual);
        }
        await place(file, digest);
        return { digest, sizeBytes };
      };
      return lock(digest, work, signal);
    },
    async adopt(file, digest) {
      // The stored one may have other names by now (hard links): it stays.
      if (keep(digest)) await rm(file);
      else await place(file, digest);
      return info(digest);
    },
    async has(digest) {
      return keep(digest);
    },
    async *read(digest, range) {
      await info(digest);
      yield* createReadStream(path(digest), { highWaterMark: 1024 * 1024, ...range });
    },
    async materialize(digest, destination) {
      await info(digest);
      await mkdir(dirname(destination), { recursive: true });
      // Through a name of its own, so that a crash never leaves half a copy under the destination's name.
      const beside = `${destination}.${newShortId()}`;
      try {
        await linkOrCopy(path(digest), beside);
        await rename(beside, destination);
      } finally {
        // rename() does nothing when both names are links to the same file already.
        await rm(beside, { force: true });
      }
    },
    async delete(digest) {
      await rm(path(digest), { force: true });
    },
    sizeIfOlder,
    deleteIfOlder(digest, before) {
      const size = sizeIfOlder(digest, before);
      if (size !== undefined) rmSync(path(digest), { force: true });
      return size;
    },
    async *list() {
      const root = join(directory, "sha256");
      for (const prefix of await names(root)) {
        for (const hex of await readdir(join(root, prefix))) yield `sha256:${hex}`;
      }
    },
  };
}

async function names(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (errnoCode(error) === "ENOENT") return [];
    throw error;
  }
}

async function linkOrCopy(source: string, destination: string): Promise<void> {
  try {
    await link(source, destination);
  } catch (error) {
    const code = errnoCode(error);
    if (code !== "EXDEV" && code !== "EPERM" && code !== "EMLINK") throw error;
    await copyFile(source, destination);
  }
}

/** The new name itself must survive a power cut, not only the bytes. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function invalidDigest(digest: string): AppError {
  return new AppError({
    code: "InvalidDigest",
    kind: "invalid",
    message: `"${digest.slice(0, 100)}" is not a digest. Expected sha256: and 64 hex digits.`,
  });
}

function blobNotFound(digest: string, cause: unknown): AppError {
  return new AppError({ code: "BlobNotFound", kind: "notFound", message: `There is no blob ${digest}.`, cause });
}

function digestMismatch(expected: string, actual: string): AppError {
  return new AppError({
    code: "BlobDigestMismatch",
    kind: "invalid",
    message: `The bytes have the digest ${actual}, but ${expected} was announced. They changed on the way: upload again.`,
  });
}
