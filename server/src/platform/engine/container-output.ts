/** Frames of the engine's attach protocol: stream, three zeros, length; then so many bytes. */
const HEAD_BYTES = 8;
const MAX_BYTES = 1024 * 1024;

/** The text of both streams in the order in which it was printed; the end of it when it is much. */
export async function containerOutput(body: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  let kept = 0;
  for await (const part of outputParts(body)) {
    parts.push(part);
    kept += part.length;
    while (kept > MAX_BYTES && parts.length > 1) kept -= parts.shift()?.length ?? 0;
  }
  return Buffer.concat(parts).toString("utf8");
}

/** What both streams print, as it comes; a character may lie in two parts. */
export async function* outputParts(body: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  let pending = Buffer.alloc(0);
  for await (const chunk of body) {
    pending = Buffer.concat([pending, chunk]);
    let at = 0;
    while (pending.length - at >= HEAD_BYTES) {
      const length = pending.readUInt32BE(at + 4);
      if (pending.length - at - HEAD_BYTES < length) break;
      yield pending.subarray(at + HEAD_BYTES, at + HEAD_BYTES + length);
      at += HEAD_BYTES + length;
    }
    pending = pending.subarray(at);
  }
}
