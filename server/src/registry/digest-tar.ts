import { createHash } from "node:crypto";
import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import type { BlobInfo } from "../platform/blob-store/blob-store.ts";
import { readTar, type TarEntry } from "./layer-tar.ts";

/** Starting a thread takes as long as hashing this much. */
const INLINE_BYTES = 16 * 1024 * 1024;
const INLINE_ENTRIES = 500;

/** Files below `root`, which lie at `at` in the image. */
export interface LayerTree {
  readonly root: string;
  readonly at: string;
  /** paths relative to `root` */
  readonly leaveOut: readonly string[];
}

export interface DigestedTree extends BlobInfo {
  /** JSON of the tree's listing */
  readonly listing: Uint8Array;
}

/** What the thread is asked; it answers with {@link BlobInfo} or {@link DigestedTree}. */
export type DigestTask = { readonly entries: readonly TarEntry[] } | { readonly tree: LayerTree };

/** The digest and size of a tar that is not stored. Large ones are read in a thread, so that nothing else waits. */
export async function digestTar(entries: readonly TarEntry[], signal: AbortSignal): Promise<BlobInfo> {
  signal.throwIfAborted();
  const contentBytes = entries.reduce((sum, entry) => sum + (entry.type === "file" ? entry.sizeBytes : 0), 0);
  if (entries.length > INLINE_ENTRIES || contentBytes > INLINE_BYTES) return inThread({ entries }, signal);
  const hash = createHash("sha256");
  let sizeBytes = 0;
  for await (const chunk of readTar(entries)) {
    hash.update(chunk);
    sizeBytes += chunk.length;
  }
  return { digest: `sha256:${hash.digest("hex")}`, sizeBytes };
}

/**
 * The same for all files of a folder, which is listed in the thread, too: what tens of thousands of entries take (70 MiB for
 * azureml-defaults, measured) stays out of the heap in which everything else happens.
 */
export async function digestTree(tree: LayerTree, signal: AbortSignal): Promise<DigestedTree> {
  signal.throwIfAborted();
  return inThread({ tree }, signal);
}

async function inThread<Answer extends BlobInfo>(task: DigestTask, signal: AbortSignal): Promise<Answer> {
  const program = new URL(`./digest-tar.worker${extname(import.meta.url)}`, import.meta.url);
  const worker = new Worker(program, { workerData: task });
  const stop = () => void worker.terminate();
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await new Promise<Answer>((resolve, reject) => {
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
