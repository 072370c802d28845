import { type DescribeOperation, defineOperation } from "../operation/index.ts";
import { type CollectionRules, type GarbageDependencies, garbageCollection } from "./collect-garbage.ts";
import type { Forgotten } from "./garbage-store.ts";

export const GARBAGE_COLLECTION = "registry.collect";
/** One at a time, whichever workspace asks. */
export const COLLECTION_QUEUE = "registry.collect";

export interface CollectionInput extends CollectionRules {
  readonly dryRun: boolean;
}

const MINUTE_MS = 60_000;

/** Each step may run again from its beginning: it finds what is left. */
export function collectGarbageOperation(deps: GarbageDependencies) {
  const garbage = garbageCollection(deps);
  return defineOperation<CollectionInput, Record<string, never>>({
    kind: GARBAGE_COLLECTION,
    version: 1,
    steps: [
      {
        name: "look",
        timeoutMs: 30 * MINUTE_MS,
        async run({ input, say, signal }) {
          if (!input.dryRun) return undefined;
          const found = await garbage.preview(input, signal);
          say(
            `Would forget ${found.manifests} manifests, ${found.layers} layers and ${found.pushedBlobs} pushed blobs.`,
          );
          say(`Would end ${found.uploads} uploads that nobody went on with.`);
          say(`Would delete ${found.blobs} blobs and free ${bytesInWords(found.bytes)}. Nothing was changed.`);
          return undefined;
        },
      },
      {
        name: "end stale uploads",
        timeoutMs: 10 * MINUTE_MS,
        async run({ input, say }) {
          if (input.dryRun) return undefined;
          const ended = await garbage.endStaleUploads(input);
          say(`Ended ${ended.uploads} uploads that nobody went on with (${bytesInWords(ended.bytes)}).`);
          return undefined;
        },
      },
      {
        name: "forget what nothing names",
        timeoutMs: 10 * MINUTE_MS,
        async run({ input, say }) {
          if (input.dryRun) return undefined;
          say(`Forgot ${inWords(await garbage.forget(input))}.`);
          return undefined;
        },
      },
      {
        name: "delete blobs",
        timeoutMs: 60 * MINUTE_MS,
        async run({ input, say, signal }) {
          if (input.dryRun) return undefined;
          const { blobs, bytes } = await garbage.deleteBlobs(input, signal);
          say(`Deleted ${blobs} blobs and freed ${bytesInWords(bytes)}.`);
          return undefined;
        },
      },
    ],
  });
}

export const describeCollection: DescribeOperation = async () => ({
  operationType: "RegistryCollection",
  resourceLocation: null,
  streamsLog: true,
});

function inWords({ manifests, layers, pushedBlobs, files }: Forgotten): string {
  return `${manifests} manifests, ${layers} layers, ${pushedBlobs} pushed blobs and ${files} uploads of models and code`;
}

function bytesInWords(bytes: number): string {
  return bytes < 1_000_000 ? `${Math.ceil(bytes / 1_000)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}
