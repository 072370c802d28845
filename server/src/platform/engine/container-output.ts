/** Frames of the engine's attach protocol: stream, three zeros, length; then so many bytes. */
const HEAD_BYTES = 8;
const MAX_BYTES = 1024 * 1024;

/** The text of both streams in the order in which it was printed; the end of it when it is much. */
export async function containerOutput(body: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Buffer[] = [];
  let kept = 0;
  let pending = Buffer.alloc(0);
  for await (const chunk of body) {
    pending = Buffer.concat([pending, chunk]);
    let at = 0;
    while (pending.length - at >= HEAD_BYTES) {
      const length = pending.readUInt32BE(at + 4);
      if (pending.length - at - HEAD_BYTES < length) break;
      const part = pending.subarray(at + HEAD_BYTES, at + HEAD_BYTES + length);
      parts.push(part);
      kept += part.length;
      while (kept > MAX_BYTES && parts.length > 1) kept -= parts.shift()?.length ?? 0;
      at += HEAD_BYTES + length;
    }
    pending = pending.subarray(at);
  }
  return Buffer.concat(parts).toString("utf8");
}
