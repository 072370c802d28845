import type { Hash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";

/** Network chunks are 16 to 64 KiB; one system call for each would cost more than the bytes (measured: 1 MiB is past the bend). */
const BATCH_BYTES = 1024 * 1024;

/**
 * Writes a stream to an open file, in large pieces. While the thread pool writes one piece, the same piece is hashed and
 * the next one is read.
 *
 * @param options.hash is updated with all bytes
 * @returns the number of bytes
 */
export async function writeStream(
  handle: FileHandle,
  bytes: AsyncIterable<Uint8Array>,
  options: { readonly hash?: Hash; readonly signal?: AbortSignal | undefined } = {},
): Promise<number> {
  let sizeBytes = 0;
  let batch: Uint8Array[] = [];
  let batchBytes = 0;
  let writing: Promise<void> = Promise.resolve();

  async function flush(): Promise<void> {
    await writing;
    const full = batch;
    batch = [];
    batchBytes = 0;
    if (full.length === 0) return;
    writing = writeAll(handle, full);
    // A failed write is reported by the next `await writing`, however long the next chunk takes to come.
    writing.catch(() => {});
    if (options.hash !== undefined) for (const chunk of full) options.hash.update(chunk);
  }

  try {
    for await (const chunk of bytes) {
      options.signal?.throwIfAborted();
      batch.push(chunk);
      batchBytes += chunk.length;
      sizeBytes += chunk.length;
      if (batchBytes >= BATCH_BYTES) await flush();
    }
    await flush();
  } finally {
    // The caller closes the file next: no write may still be under way.
    await writing.catch(() => {});
  }
  await writing;
  return sizeBytes;
}

async function writeAll(handle: FileHandle, chunks: readonly Uint8Array[]): Promise<void> {
  const total = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  let written = (await handle.writev([...chunks])).bytesWritten;
  if (written === total) return;
  const rest = Buffer.concat(chunks);
  while (written < total) written += (await handle.write(rest, written, total - written)).bytesWritten;
}
