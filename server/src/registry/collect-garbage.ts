import { setImmediate as turn } from "node:timers/promises";
import type { BlobStore } from "../platform/blob-store/blob-store.ts";
import type { Clock } from "../platform/clock.ts";
import type { BlobUploads } from "./blob-uploads.ts";
import type { ForgetLimits, Forgotten, GarbageStore } from "./garbage-store.ts";

/** What may go. Shorter than an hour would race with uploads and builds. */
export interface CollectionRules {
  /** blobs, layers and uploads that were used within so many hours stay, named or not */
  readonly graceHours: number;
  /**
   * Manifests without a tag stay so many days after they were first found without a name: somebody may pull them by their digest.
   * Uploaded files that no model and no image has stay so many days after they were uploaded: somebody may yet register them.
   */
  readonly untaggedDays: number;
}

export const defaultRules: CollectionRules = { graceHours: 24, untaggedDays: 7 };

export interface Collected {
  readonly blobs: number;
  readonly bytes: number;
}

export interface GarbageDependencies {
  readonly store: GarbageStore;
  readonly blobs: BlobStore;
  readonly uploads: Pick<BlobUploads, "stale">;
  readonly clock: Clock;
}

const HOUR_MS = 3_600_000;
/** The database waits as long as files are deleted under one look. */
const DELETED_AT_ONCE = 5_000;
const DELETED_PER_TURN = 200;

/**
 * Finds and removes what nothing names any more. Rows go first and are committed, then blobs: killed at any point, what is left over is
 * garbage of the next run and nothing that is named is missing.
 */
export function garbageCollection({ store, blobs, uploads, clock }: GarbageDependencies) {
  function limits({ graceHours, untaggedDays }: CollectionRules): ForgetLimits {
    const now = clock.now();
    const usedBefore = new Date(now.getTime() - Math.max(1, graceHours) * HOUR_MS);
    const unnamedBefore = new Date(now.getTime() - Math.max(1, graceHours, untaggedDays * 24) * HOUR_MS);
    return { now, usedBefore, unnamedBefore };
  }

  /** Outside of any lock: whatever is named or used meanwhile is noticed by {@link sweep}. */
  async function candidates(before: Date, signal: AbortSignal): Promise<string[]> {
    const named = await store.transaction((on) => store.namedBlobs(on));
    const found: string[] = [];
    for await (const digest of blobs.list()) {
      signal.throwIfAborted();
      if (!named.has(digest) && blobs.sizeIfOlder(digest, before) !== undefined) found.push(digest);
    }
    return found;
  }

  /** Looks again, with nobody writing to the database, and deletes what is still unnamed and old. */
  async function sweep(batch: readonly string[], before: Date, signal: AbortSignal): Promise<Collected> {
    return store.transaction(async (on) => {
      const named = await store.namedBlobs(on);
      let [count, bytes] = [0, 0];
      for (const [index, digest] of batch.entries()) {
        if (index % DELETED_PER_TURN === DELETED_PER_TURN - 1) {
          await turn();
          signal.throwIfAborted();
        }
        const freed = named.has(digest) ? undefined : blobs.deleteIfOlder(digest, before);
        if (freed === undefined) continue;
        count += 1;
        bytes += freed;
      }
      return { blobs: count, bytes };
    });
  }

  return {
    async endStaleUploads(rules: CollectionRules): Promise<{ readonly uploads: number; readonly bytes: number }> {
      const stale = await uploads.stale(limits(rules).usedBefore);
      await stale.remove();
      return { uploads: stale.count, bytes: stale.bytes };
    },

    forget: (rules: CollectionRules): Promise<Forgotten> => store.transaction((on) => store.forget(on, limits(rules))),

    async deleteBlobs(rules: CollectionRules, signal: AbortSignal): Promise<Collected> {
      const { usedBefore } = limits(rules);
      const unnamed = await candidates(usedBefore, signal);
      const sum = { blobs: 0, bytes: 0 };
      for (let at = 0; at < unnamed.length; at += DELETED_AT_ONCE) {
        const { blobs: count, bytes } = await sweep(unnamed.slice(at, at + DELETED_AT_ONCE), usedBefore, signal);
        sum.blobs += count;
        sum.bytes += bytes;
      }
      return sum;
    },

    /** What a run would do now. The rows are removed, looked at, and put back by rolling back. */
    async preview(rules: CollectionRules, signal: AbortSignal): Promise<Forgotten & Collected & { uploads: number }> {
      const { usedBefore } = limits(rules);
      const stale = await uploads.stale(usedBefore);
      const { forgotten, named } = await store.preview(limits(rules));
      const sum = { blobs: 0, bytes: stale.bytes };
      for await (const digest of blobs.list()) {
        signal.throwIfAborted();
        if (named.has(digest)) continue;
        const size = blobs.sizeIfOlder(digest, usedBefore);
        if (size === undefined) continue;
        sum.blobs += 1;
        sum.bytes += size;
      }
      return { ...forgotten, ...sum, uploads: stale.count };
    },
  };
}
