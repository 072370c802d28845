import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import type { Kysely } from "kysely";
import type { BlobStore } from "../platform/blob-store/blob-store.ts";
import type { Clock } from "../platform/clock.ts";
import { digestTar } from "./digest-tar.ts";
import { filesEntries, listTree, type TreeListing, treeLayerEntries } from "./layer-entries.ts";
import { planTar, readTar, type TarEntry } from "./layer-tar.ts";
import {
  type Descriptor,
  type Layer,
  type LayerFile,
  type LayerSource,
  mediaTypes,
  type Repository,
} from "./registry.ts";
import { createRegistryStore } from "./registry-store.ts";
import type { RegistryTables } from "./registry-tables.ts";

/** Something that can be pulled; `read` takes a range whose both ends are counted in. */
export interface Content extends Descriptor {
  read(range?: { readonly start: number; readonly end: number }): AsyncIterable<Uint8Array>;
}

export type Registry = ReturnType<typeof createRegistry>;

/** Images as the OCI distribution specification sees them: layers, manifests, tags. */
export function createRegistry<Tables extends RegistryTables>(deps: {
  readonly database: Kysely<Tables>;
  readonly clock: Clock;
  readonly blobs: BlobStore;
}) {
  const { blobs } = deps;
  const store = createRegistryStore(deps.database, deps.clock);

  async function stored(descriptor: Descriptor): Promise<Content> {
    return { ...descriptor, read: (range) => blobs.read(descriptor.digest, range) };
  }

  async function addVirtualLayer(
    source: LayerSource,
    entries: readonly TarEntry[],
    signal: AbortSignal,
  ): Promise<Layer> {
    const { digest, sizeBytes } = await digestTar(entries, signal);
    const layer: Layer = { digest, diffId: digest, mediaType: mediaTypes.layer, sizeBytes, source };
    await store.putLayer(layer);
    return layer;
  }

  async function entriesOf(source: Exclude<LayerSource, { type: "blob" }>): Promise<TarEntry[]> {
    switch (source.type) {
      case "files":
        return filesEntries(source.files, blobs);
      case "tree":
        return treeLayerEntries(
          source,
          JSON.parse(await text(Readable.from(blobs.read(source.listing)))) as TreeListing,
        );
      default:
        return source satisfies never;
    }
  }

  return {
    /** Adds a layer of stored blobs under given names. One pass over the bytes, nothing is written. */
    async addFilesLayer(files: readonly LayerFile[], signal: AbortSignal): Promise<Layer> {
      return addVirtualLayer({ type: "files", files }, filesEntries(files, blobs), signal);
    },

    /** Adds a layer of the plain files below `root`, which then must stay. Only their listing is written. */
    async addTreeLayer(
      tree: { readonly root: string; readonly at: string; readonly leaveOut: readonly string[] },
      signal: AbortSignal,
    ): Promise<Layer> {
      const listing = await listTree(tree.root, tree.leaveOut);
      const { digest } = await blobs.put(once(Buffer.from(JSON.stringify(listing))), { signal });
      const source = { type: "tree", root: tree.root, at: tree.at, listing: digest } as const;
      return addVirtualLayer(source, treeLayerEntries(tree, listing), signal);
    },

    async addStoredLayer(layer: Omit<Layer, "source">): Promise<Layer> {
      const whole: Layer = { ...layer, source: { type: "blob" } };
      await store.putLayer(whole);
      return whole;
    },

    findLayer: store.findLayer,

    /** Stores a small JSON document (config or manifest) and describes it. */
    async putDocument(mediaType: string, document: unknown): Promise<Descriptor> {
      const { digest, sizeBytes } = await blobs.put(once(Buffer.from(JSON.stringify(document))));
      return { mediaType, digest, size: sizeBytes };
    },

    /** Makes an image pullable under a tag. `contents` are the config and all layers. */
    tagManifest(
      repository: Repository,
      tag: string,
      manifest: Descriptor,
      contents: readonly Descriptor[],
    ): Promise<void> {
      return store.putManifest(
        repository,
        tag,
        manifest,
        contents.map((content) => content.digest),
      );
    },

    removeTag: store.removeTag,
    tags: store.tags,

    async findManifest(repository: Repository, reference: string): Promise<Content | undefined> {
      const digest = reference.includes(":") ? reference : await store.findTag(repository, reference);
      const manifest = digest === undefined ? undefined : await store.findManifest(repository, digest);
      return manifest && stored(manifest);
    },

    /** A config or layer, if an image of this repository has it. */
    async findBlob(repository: Repository, digest: string): Promise<Content | undefined> {
      if (!(await store.hasContent(repository, digest))) return undefined;
      const layer = await store.findLayer(digest);
      const { source } = layer ?? {};
      if (layer === undefined || source === undefined || source.type === "blob") {
        if (!(await blobs.has(digest))) return undefined;
        const { sizeBytes } = await blobs.info(digest);
        return stored({ mediaType: layer?.mediaType ?? mediaTypes.config, digest, size: sizeBytes });
      }
      return {
        mediaType: layer.mediaType,
        digest,
        size: layer.sizeBytes,
        async *read(range) {
          yield* readTar(await planTar(await entriesOf(source)), range);
        },
      };
    },
  };
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}
