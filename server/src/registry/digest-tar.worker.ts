import { createHash } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { planTar, type TarEntry, tarBytes } from "./layer-tar.ts";
import { layerDamaged } from "./registry-errors.ts";

// In a thread of its own, where synchronous reads are allowed: for thousands of small files they are four times as fast.
const segments = await planTar(workerData as readonly TarEntry[]);
const hash = createHash("sha256");
const chunk = Buffer.allocUnsafe(1024 * 1024);
for (const segment of segments) {
  if (segment instanceof Uint8Array) hash.update(segment);
  else hashFile(segment.path, segment.sizeBytes);
}
parentPort?.postMessage({ digest: `sha256:${hash.digest("hex")}`, sizeBytes: tarBytes(segments) });

function hashFile(path: string, sizeBytes: number): void {
  const file = openSync(path, "r");
  try {
    for (let position = 0; position < sizeBytes; ) {
      const bytesRead = readSync(file, chunk, 0, Math.min(chunk.length, sizeBytes - position), position);
      if (bytesRead === 0) throw layerDamaged(path, undefined);
      hash.update(chunk.subarray(0, bytesRead));
      position += bytesRead;
    }
  } finally {
    closeSync(file);
  }
}
