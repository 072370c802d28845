import type { FastifyRequest } from "fastify";
import { requestBytes } from "../platform/http/request-bytes.ts";
import { blockListInvalid, blockListTooLarge, uploadBroken } from "./upload-errors.ts";

/** The body as it comes. Leaving the loop early keeps the connection, so that the client can read why. */
export function receivedBytes(request: FastifyRequest): AsyncGenerator<Uint8Array> {
  return requestBytes(request, uploadBroken);
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
