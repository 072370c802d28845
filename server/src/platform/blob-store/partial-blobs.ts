import { createHash } from "node:crypto";
import { mkdir, open, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { AppError } from "../errors.ts";
import { writeStream } from "./write-stream.ts";

/** What nobody has gone on with for so long is in the way. */
const KEPT_MS = 24 * 60 * 60_000;

/** Gives the bytes from a position on. */
export type BytesFrom = (position: number) => AsyncIterable<Uint8Array>;

export interface ReceivedBlob {
  /** whole and on disk (fsync) */
  readonly file: string;
  readonly digest: string;
  readonly sizeBytes: number;
}

/**
 * Files of blobs that are still on their way, under the name that they will have: whatever ends the way, a process that is killed or a
 * connection that breaks, the next attempt goes on from there.
 */
export async function openPartialBlobs(folder: string) {
  await mkdir(folder, { recursive: true });
  for (const name of await readdir(folder)) {
    const { mtimeMs } = await stat(join(folder, name));
    if (Date.now() - mtimeMs > KEPT_MS) await rm(join(folder, name));
  }

  return {
    /**
     * Receives what is missing. Nobody else may be doing the same under this name. What came stays when the source was away
     * or the signal said stop, and is removed after any other failure.
     */
    async receive(name: string, from: BytesFrom, signal: AbortSignal | undefined): Promise<ReceivedBlob> {
      const file = join(folder, name);
      // Appending: a file that is made here, and one that is there, are the same.
      const handle = await open(file, "a+", 0o600);
      try {
        const hash = createHash("sha256");
        let position = 0;
        for await (const chunk of handle.createReadStream({ start: 0, autoClose: false }) as AsyncIterable<Buffer>) {
          hash.update(chunk);
          position += chunk.length;
        }
        const sizeBytes = position + (await writeStream(handle, from(position), { hash, position, signal }));
        await handle.sync();
        return { file, digest: `sha256:${hash.digest("hex")}`, sizeBytes };
      } catch (error) {
        const isInterrupted = signal?.aborted || (error instanceof AppError && error.kind === "unavailable");
        if (!isInterrupted) await rm(file, { force: true });
        throw error;
      } finally {
        await handle.close();
      }
    },
  };
}
