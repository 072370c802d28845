import type { BlobStore } from "../../platform/blob-store/blob-store.ts";
import type { Descriptor, Platform, Registry } from "../../registry/index.ts";
import {
  choosePlatform,
  digestOf,
  fits,
  type ImageManifest,
  layerInvalid,
  manifestInvalid,
  parseImageConfig,
  parseManifest,
  platformNotOffered,
  readLayerMembers,
} from "../../registry/remote/index.ts";
import type { BaseLayer } from "./base-image.ts";
import { type LayerPythons, notePythons } from "./base-python.ts";
import type { BaseSource } from "./base-source.ts";
import type { BaseStore, StoredBase } from "./base-store.ts";

export interface BaseReadingDependencies {
  readonly store: BaseStore;
  readonly registry: Registry;
  readonly blobs: BlobStore;
}

/**
 * Reads manifest and configuration of an image for one platform.
 *
 * @param target tag or digest
 * @throws {AppError} RemoteImageNotFound, PlatformNotOffered, ManifestInvalid and others of the registry
 */
export async function describeBase(
  source: BaseSource,
  name: string,
  target: string,
  wanted: Platform,
  signal: AbortSignal,
): Promise<StoredBase> {
  const { manifest, digest } = await manifestFor(source, name, target, wanted, signal);
  const bytes = await source.document(manifest.config, signal);
  const { platform, diffIds, config } = parseImageConfig(name, bytes, manifest.layers.length);
  if (!fits(platform, wanted)) throw platformNotOffered(name, wanted, [platform]);
  const layers = manifest.layers.map((layer, index) => ({
    digest: layer.digest,
    diffId: diffIds[index] ?? "",
    mediaType: layer.mediaType,
    sizeBytes: layer.size,
  }));
  return { reference: name, digest, platform, layers, config };
}

async function manifestFor(
  source: BaseSource,
  name: string,
  target: string,
  wanted: Platform,
  signal: AbortSignal,
): Promise<{ readonly manifest: ImageManifest; readonly digest: string }> {
  const first = await source.manifest(target, signal);
  const document = parseManifest(name, first.mediaType, first.bytes);
  if (document.kind === "manifest") return { manifest: document, digest: digestOf(first.bytes) };
  const chosen = choosePlatform(name, document, wanted);
  const { mediaType, bytes } = await source.manifest(chosen.digest, signal);
  const manifest = parseManifest(name, mediaType, bytes);
  if (digestOf(bytes) !== chosen.digest) throw manifestInvalid(name, `${chosen.digest} has another digest`);
  if (manifest.kind === "index") throw manifestInvalid(name, "its index names another index");
  return { manifest, digest: chosen.digest };
}

/**
 * Stores a layer, checks it against its digests and notes the interpreters in it. A layer that was read before is not read again.
 *
 * @throws {AppError} RemoteBlobCorrupt, LayerInvalid and others of the registry
 */
export async function takeLayer(
  deps: BaseReadingDependencies,
  source: BaseSource,
  layer: BaseLayer,
  signal: AbortSignal,
): Promise<void> {
  const { store, registry } = deps;
  const [known, pythons] = await Promise.all([registry.findLayer(layer.digest), store.findPythons(layer.digest)]);
  if (known !== undefined && known.diffId !== layer.diffId) {
    throw layerInvalid(layer.digest, `its image announces it as ${layer.diffId}, but it is ${known.diffId}`);
  }
  if (known !== undefined && pythons !== undefined && (await hasLayer(deps, layer.digest))) return;
  const bytes = await source.layer(descriptorOf(layer), signal);
  const notes = notePythons();
  await readLayerMembers(layer, bytes, notes.member, signal);
  // A layer of our own making is not stored as a blob: the place that the registry knows already stays.
  if (known === undefined || known.source.type === "blob") await registry.addStoredLayer(layer);
  await store.rememberPythons(layer.digest, notes.result());
}

/** Whether all layers are still there: garbage collection or a person may have taken some away. */
export async function isWhole(deps: BaseReadingDependencies, base: StoredBase): Promise<boolean> {
  const whole = await Promise.all(
    base.layers.map(
      async ({ digest }) => (await hasLayer(deps, digest)) && (await deps.store.findPythons(digest)) !== undefined,
    ),
  );
  return whole.every(Boolean);
}

async function hasLayer({ registry, blobs }: BaseReadingDependencies, digest: string): Promise<boolean> {
  const layer = await registry.findLayer(digest);
  return layer !== undefined && (layer.source.type !== "blob" || (await blobs.has(digest)));
}

export async function pythonsOf(store: BaseStore, base: StoredBase): Promise<LayerPythons[]> {
  const found = await Promise.all(base.layers.map(({ digest }) => store.findPythons(digest)));
  return found.map((pythons) => pythons ?? { added: [], hidden: [], links: {} });
}

const descriptorOf = ({ digest, mediaType, sizeBytes }: BaseLayer): Descriptor => ({
  digest,
  mediaType,
  size: sizeBytes,
});
