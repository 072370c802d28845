import { once } from "node:events";
import { type FileHandle, open } from "node:fs/promises";
import type { FastifyReply } from "fastify";

const PIECE_BYTES = 256 * 1024;

/**
 * Answers with a file, or the bytes of it from `start` to `end` (both counted in); status and headers are those of the reply. What fits
 * into one piece is sent together with the head.
 */
export async function sendFile(
  reply: FastifyReply,
  file: string,
  { start, end }: { readonly start: number; readonly end: number },
): Promise<FastifyReply> {
  const handle = await open(file, "r");
  try {
    const first = await readPiece(handle, newPiece(end + 1 - start), start, end);
    if (start + first.length > end) return reply.send(first);
    await sendPieces(reply, handle, first, { start, end });
  } finally {
    await handle.close();
  }
  return reply;
}

/**
 * Two buffers take turns, one being read while the other is sent: with a new one for each piece, as streams have them, half of the
 * processor's time for a large file went into collecting them (measured).
 */
async function sendPieces(
  reply: FastifyReply,
  handle: FileHandle,
  first: Buffer,
  { start, end }: { readonly start: number; readonly end: number },
): Promise<void> {
  reply.hijack();
  const { raw } = reply;
  try {
    raw.writeHead(reply.statusCode, reply.getHeaders() as Record<string, string>);
    // A client that goes away never takes what is being sent.
    const gone = once(raw, "close").then(() => Promise.reject(new Error("The client is gone.")));
    gone.catch(() => {});
    const send = (piece: Uint8Array) =>
      new Promise<void>((resolve, reject) => raw.write(piece, (error) => (error ? reject(error) : resolve())));

    let [piece, other]: [Buffer, Buffer] = [first, newPiece(end + 1 - start)];
    for (let position = start; position <= end; ) {
      position += piece.length;
      const reading = readPiece(handle, other, position, end);
      reading.catch(() => {});
      await Promise.race([send(piece), gone]);
      [piece, other] = [await reading, piece];
    }
    raw.end();
  } catch {
    // The length was announced already: a broken connection is what tells the client.
    raw.destroy();
  }
}

const newPiece = (bytes: number) => Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, bytes));

/** Fills the piece, or as much of it as there is up to `end`. @returns what it filled */
async function readPiece(handle: FileHandle, piece: Buffer, position: number, end: number): Promise<Buffer> {
  const wanted = Math.max(0, Math.min(piece.length, end + 1 - position));
  for (let filled = 0; filled < wanted; ) {
    const { bytesRead } = await handle.read(piece, filled, wanted - filled, position + filled);
    if (bytesRead === 0) throw new Error(`The file ends at byte ${position + filled}, before byte ${end}.`);
    filled += bytesRead;
  }
  return piece.subarray(0, wanted);
}
