import type { Hash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";

/** Network chunks are 16 to 64 KiB; a system call for each would cost more than copying them together. */
const PIECE_BYTES = 1024 * 1024;
/** Of most streams all: to make room for two large pieces, and to collect it, takes longer than to write a small one (measured). */
const FIRST_PIECE_BYTES = 64 * 1024;

/**
 * Writes a stream to an open file, in large pieces. While the thread pool writes one piece, the same piece is hashed and
 * the next one is collected.
 *
 * @param options.hash is updated with all bytes
 * @param options.position where in the file the bytes begin; 0 if not given
 * @returns the number of bytes
 */
export async function writeStream(
  handle: FileHandle,
  bytes: AsyncIterable<Uint8Array>,
  options: { readonly hash?: Hash; readonly signal?: AbortSignal | undefined; readonly position?: number } = {},
): Promise<number> {
  let piece: Buffer = Buffer.allocUnsafe(FIRST_PIECE_BYTES);
  /** the large piece that is being written */
  let other: Buffer | undefined;
  let filled = 0;
  let sizeBytes = 0;
  let position = options.position ?? 0;
  let writing: Promise<void> = Promise.resolve();

  async function flush(): Promise<void> {
    await writing;
    const full = piece.subarray(0, filled);
    writing = writeAll(handle, full, position);
    position += filled;
    // A failed write is reported by the next `await writing`, however long the next chunk takes to come.
    writing.catch(() => {});
    options.hash?.update(full);
  }

  function takeTurns(): void {
    [piece, other] = [other ?? Buffer.allocUnsafe(PIECE_BYTES), piece.length === PIECE_BYTES ? piece : undefined];
    filled = 0;
  }

  try {
    for await (const chunk of bytes) {
      options.signal?.throwIfAborted();
      sizeBytes += chunk.length;
      for (let taken = 0; taken < chunk.length; ) {
        const part = chunk.subarray(taken, taken + piece.length - filled);
        piece.set(part, filled);
        filled += part.length;
        taken += part.length;
        if (filled < piece.length) continue;
        await flush();
        takeTurns();
      }
    }
    await flush();
    await writing;
  } finally {
    // The caller closes the file next: no write may still be under way.
    await writing.catch(() => {});
  }
  return sizeBytes;
}

async function writeAll(handle: FileHandle, piece: Uint8Array, position: number): Promise<void> {
  for (let written = 0; written < piece.length; ) {
    written += (await handle.write(piece, written, piece.length - written, position + written)).bytesWritten;
  }
}
