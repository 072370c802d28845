import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import type { Kysely } from "kysely";
import type { BlobInfo, BlobStore } from "../platform/blob-store/blob-store.ts";
import type { Clock } from "../platform/clock.ts";
import { digestTar, digestTree, type LayerTree } from "./digest-tar.ts";
import { filesEntries, type TreeListing, treeLayerEntries } from "./layer-entries.ts";
import { createLayerStore } from "./layer-store.ts";
import { readTar, type TarEntry } from "./layer-tar.ts";
import { createManifestService } from "./manifest-service.ts";
import { createManifestStore } from "./manifest-store.ts";
import {
  type Descriptor,
  isDigest,
  type Layer,
  type LayerFile,
  type LayerSource,
  mediaTypes,
  type Repository,
} from "./registry.ts";
import type { RegistryTables } from "./registry-tables.ts";
import { createRepositoryBlobStore } from "./repository-blob-store.ts";

/** Something that can be pulled; `read` takes a range whose both ends are counted in. */
export interface Content extends Descriptor {
  read(range?: { readonly start: number; readonly end: number }): AsyncIterable<Uint8Array>;
  /** where the bytes lie, if they are stored as they are; read only */
  readonly file?: string;
}

export type Registry = ReturnType<typeof createRegistry>;

/** Images as the OCI distribution specification sees them: layers, manifests, tags. */
export function createRegistry<Tables extends RegistryTables>(deps: {
  readonly database: Kysely<Tables>;
  readonly clock: Clock;
  readonly blobs: BlobStore;
}) {
  const { blobs } = deps;
  const database = deps.database as unknown as Kysely<RegistryTables>;
  const layers = createLayerStore(database, deps.clock);
  const manifests = createManifestStore(database, deps.clock);
  const repositoryBlobs = createRepositoryBlobStore(database, deps.clock);
  const { push, putImage, attach, referrers } = createManifestService({ blobs, manifests, layers, repositoryBlobs });

  function stored(descriptor: Descriptor, blob: string): Content {
    return { ...descriptor, file: blobs.path(blob), read: (range) => blobs.read(blob, range) };
  }

  /** A layer that is not stored: it is made again from its source. */
  async function addVirtualLayer({ digest, sizeBytes }: BlobInfo, source: LayerSource): Promise<Layer> {
    const layer: Layer = { digest, diffId: digest, mediaType: mediaTypes.layer, sizeBytes, source };
    await layers.put(layer);
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

  /** The bytes of a layer, whoever's it is; undefined if they are gone. */
  async function layerContent({ digest, mediaType, sizeBytes, source }: Layer): Promise<Content | undefined> {
    const descriptor = { mediaType, digest, size: sizeBytes };
    if (source.type === "blob") return (await blobs.has(digest)) ? stored(descriptor, digest) : undefined;
    return {
      ...descriptor,
      async *read(range) {
        yield* readTar(await entriesOf(source), range);
      },
    };
  }

  return {
    layerContent,

    /** Adds a layer of stored blobs under given names. One pass over the bytes, nothing is written. */
    async addFilesLayer(files: readonly LayerFile[], signal: AbortSignal): Promise<Layer> {
      return addVirtualLayer(await digestTar(filesEntries(files, blobs), signal), { type: "files", files });
    },

    /** Adds a layer of the plain files below `root`, which then must stay. Only their listing is written. */
    async addTreeLayer(tree: LayerTree, signal: AbortSignal): Promise<Layer> {
      const { listing, ...info } = await digestTree(tree, signal);
      const { digest } = await blobs.put(once(listing), { signal });
      return addVirtualLayer(info, { type: "tree", root: tree.root, at: tree.at, listing: digest });
    },

    async addStoredLayer(layer: Omit<Layer, "source">): Promise<Layer> {
      const whole: Layer = { ...layer, source: { type: "blob" } };
      await layers.put(whole);
      return whole;
    },

    /** A layer for a build that will name it; from now on it counts as used. */
    async findLayer(digest: string): Promise<Layer | undefined> {
      if (!(await layers.use(digest))) return undefined;
      const layer = await layers.find(digest);
      if (layer?.source.type === "blob") await blobs.has(digest);
      if (layer?.source.type === "tree") await blobs.has(layer.source.listing);
      return layer;
    },

    /** Stores a small JSON document (config or manifest) and describes it. */
    async putDocument(mediaType: string, document: unknown): Promise<Descriptor> {
      const { digest, sizeBytes } = await blobs.put(once(Buffer.from(JSON.stringify(document))));
      return { mediaType, digest, size: sizeBytes };
    },

    /** Makes an image pullable under a tag. `contents` are the config and all layers. */
    async tagManifest(
      repository: Repository,
      tag: string,
      manifest: Descriptor,
      contents: readonly Descriptor[],
    ): Promise<void> {
      const digests = contents.map(({ digest }) => digest);
      await manifests.put(repository, { ...manifest, blob: manifest.digest, blobs: digests, manifests: [] }, [tag]);
    },

    push,
    putImage,
    attach,
    referrers,

    repositories: manifests.repositories,
    tagsOf: manifests.tagsOf,
    /** Forgets a manifest and the tags that name it. @returns whether it was there */
    removeManifest: manifests.remove,
    /** Forgets a tag only. @returns whether it was there */
    untag: manifests.untag,
    /** Forgets a tag, and its manifest when nothing else names it. */
    removeTag: manifests.removeTag,
    tagPage: manifests.tags,
    countUsers: manifests.countUsers,

    async tags(repository: Repository): Promise<string[]> {
      return (await manifests.tags(repository)) ?? [];
    },

    async findManifest(repository: Repository, reference: string): Promise<Content | undefined> {
      const digest = isDigest(reference) ? reference : await manifests.findTag(repository, reference);
      const manifest = digest === undefined ? undefined : await manifests.find(repository, digest);
      return manifest && stored(manifest, manifest.blob);
    },

    /** A config or layer, if a client pushed it to this repository or an image of it has it. */
    async findBlob(repository: Repository, digest: string): Promise<Content | undefined> {
      const pushed = await repositoryBlobs.find(repository, digest);
      if (pushed !== undefined)
        return stored({ mediaType: mediaTypes.layer, digest, size: pushed.sizeBytes }, pushed.blob);
      if (!(await manifests.names(repository, digest))) return undefined;
      const layer = await layers.find(digest);
      if (layer !== undefined) return layerContent(layer);
      if (!(await blobs.has(digest))) return undefined;
      const { sizeBytes } = await blobs.info(digest);
      return stored({ mediaType: mediaTypes.config, digest, size: sizeBytes }, digest);
    },
  };
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}
