import type { IncomingMessage } from "node:http";
import { SilenceError } from "./http-exchange.ts";

/** A document comes in one piece or two; who drips it byte by byte wants to hold us. */
const WHOLE_MS = 60_000;

/** The whole body, or undefined when it has more bytes than that. */
export async function readSmall(
  answer: IncomingMessage,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  const tooSlow = setTimeout(() => answer.destroy(new SilenceError()), WHOLE_MS);
  try {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxBytes) return undefined;
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    clearTimeout(tooSlow);
    answer.destroy();
  }
}
