import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { chmod, copyFile, link, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { AppError, errnoCode } from "../errors.ts";
import { newShortId } from "../ids.ts";
import type { BlobInfo, BlobStore } from "./blob-store.ts";

const DIGEST = /^sha256:([0-9a-f]{64})$/;

/** Blobs as files `DIR/sha256/ab/abcdef…`, unfinished ones in `DIR/incoming`. */
export async function openFileBlobStore(directory: string): Promise<BlobStore> {
  const incoming = join(directory, "incoming");
  // What a killed process left half-written is nobody's: uploads begin again.
  await rm(incoming, { recursive: true, force: true });
  await mkdir(incoming, { recursive: true });

  function path(digest: string): string {
    const hex = DIGEST.exec(digest)?.[1];
    if (hex === undefined) throw invalidDigest(digest);
    return join(directory, "sha256", hex.slice(0, 2), hex);
  }

  async function place(file: string, digest: string): Promise<void> {
    const destination = path(digest);
    await mkdir(dirname(destination), { recursive: true });
    await chmod(file, 0o444);
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

  return {
    path,
    info,
    async put(bytes, options = {}) {
      const file = join(incoming, newShortId());
      const hash = createHash("sha256");
      let sizeBytes = 0;
      const handle = await open(file, "wx", 0o600);
      try {
        try {
          for await (const chunk of bytes) {
            options.signal?.throwIfAborted();
            hash.update(chunk);
            sizeBytes += chunk.length;
            await writeAll(handle, chunk);
          }
          await handle.sync();
        } finally {
          await handle.close();
        }
        const digest = `sha256:${hash.digest("hex")}`;
        if (options.expected !== undefined && options.expected !== digest)
          throw digestMismatch(options.expected, digest);
        await place(file, digest);
        return { digest, sizeBytes };
      } catch (error) {
        await rm(file, { force: true });
        throw error;
      }
    },
    async adopt(file, digest) {
      await place(file, digest);
      return info(digest);
    },
    async has(digest) {
      try {
        await stat(path(digest));
        return true;
      } catch (error) {
        if (errnoCode(error) === "ENOENT") return false;
        throw error;
      }
    },
    async *read(digest, range) {
      await info(digest);
      yield* createReadStream(path(digest), { highWaterMark: 1024 * 1024, ...range });
    },
    async materialize(digest, destination) {
      await info(digest);
      await mkdir(dirname(destination), { recursive: true });
      try {
        await link(path(digest), destination);
      } catch (error) {
        const code = errnoCode(error);
        if (code === "EEXIST") return;
        if (code !== "EXDEV" && code !== "EPERM" && code !== "EMLINK") throw error;
        await copyFile(path(digest), destination);
      }
    },
    async delete(digest) {
      await rm(path(digest), { force: true });
    },
    async *list() {
      const root = join(directory, "sha256");
      for (const prefix of await readdir(root).catch(() => [])) {
        for (const hex of await readdir(join(root, prefix))) yield `sha256:${hex}`;
      }
    },
  };
}

async function writeAll(handle: Awaited<ReturnType<typeof open>>, chunk: Uint8Array): Promise<void> {
  let written = 0;
  while (written < chunk.length) {
    written += (await handle.write(chunk, written, chunk.length - written)).bytesWritten;
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
