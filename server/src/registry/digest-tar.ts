import { createHash } from "node:crypto";
import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import type { BlobInfo } from "../platform/blob-store/blob-store.ts";
import { planTar, readTar, type TarEntry, tarBytes } from "./layer-tar.ts";

/** Starting a thread takes as long as hashing this much. */
const INLINE_BYTES = 16 * 1024 * 1024;
const INLINE_ENTRIES = 500;

/** The digest and size of a tar that is not stored. Large ones are read in a thread, so that nothing else waits. */
export async function digestTar(entries: readonly TarEntry[], signal: AbortSignal): Promise<BlobInfo> {
  signal.throwIfAborted();
  const contentBytes = entries.reduce((sum, entry) => sum + (entry.type === "file" ? entry.sizeBytes : 0), 0);
  if (entries.length > INLINE_ENTRIES || contentBytes > INLINE_BYTES) return digestInThread(entries, signal);
  const segments = await planTar(entries);
  const hash = createHash("sha256");
  for await (const chunk of readTar(segments)) hash.update(chunk);
  return { digest: `sha256:${hash.digest("hex")}`, sizeBytes: tarBytes(segments) };
}

async function digestInThread(entries: readonly TarEntry[], signal: AbortSignal): Promise<BlobInfo> {
  const program = new URL(`./digest-tar.worker${extname(import.meta.url)}`, import.meta.url);
  const worker = new Worker(program, { workerData: entries });
  const stop = () => void worker.terminate();
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await new Promise<BlobInfo>((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
      worker.once("exit", (code) =>
        reject(signal.aborted ? signal.reason : new Error(`The thread that hashes a layer ended with code ${code}.`)),
      );
    });
  } finally {
    signal.removeEventListener("abort", stop);
    await worker.terminate();
  }
}
