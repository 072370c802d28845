import type { FastifyRequest } from "fastify";
import { blockListInvalid, blockListTooLarge, uploadBroken } from "./upload-errors.ts";

/** A client that sends nothing for so long is gone; its unfinished file must not wait for the next start. */
const SILENCE_MS = 120_000;

/** The body as it comes. Leaving the loop early keeps the connection, so that the client can read why. */
export async function* receivedBytes(request: FastifyRequest): AsyncGenerator<Uint8Array> {
  const { raw } = request;
  const silence = setTimeout(() => raw.destroy(new Error(`Nothing came for ${SILENCE_MS / 1000} s.`)), SILENCE_MS);
  try {
    for await (const chunk of raw.iterator({ destroyOnReturn: false })) {
      silence.refresh();
      yield chunk as Uint8Array;
    }
  } catch (error) {
    throw uploadBroken(error);
  } finally {
    clearTimeout(silence);
  }
}

export async function receivedText(request: FastifyRequest, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of receivedBytes(request)) {
    sizeBytes += chunk.length;
    if (sizeBytes > maxBytes) throw blockListTooLarge(maxBytes);
    chunks.push(chunk);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks));
  } catch {
    throw blockListInvalid("it is not UTF-8");
  }
}
