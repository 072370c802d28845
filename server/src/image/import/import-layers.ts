import { access } from "node:fs/promises";
import type { BlobStore } from "../../platform/blob-store/blob-store.ts";
import { inParallel } from "../../platform/in-parallel.ts";
import { type Refuse, tarMembers } from "../../platform/tar-members.ts";
import { type Layer, type LayerFile, mediaTypes, type Registry } from "../../registry/index.ts";
import { layerInvalid, type RemoteRepository, readLayerMembers } from "../../registry/remote/index.ts";
import type { ImportedLayer } from "./import-manifest.ts";

export interface LayerTaking {
  readonly registry: Pick<Registry, "findLayer" | "addFilesLayer" | "addStoredLayer">;
  readonly blobs: BlobStore;
  /** where models come first, on the file system of `blobs`; what is in it after a crash is not fetched again */
  readonly scratch: BlobStore;
  readonly repository: Pick<RemoteRepository, "pull">;
}

interface RunContext {
  readonly signal: AbortSignal;
  say(text: string): void;
}

/** At once: enough to fill a line, little enough for small registries. */
const PARALLEL = 3;

export const refuseIn =
  (digest: string): Refuse =>
  (member, reason) =>
    layerInvalid(digest, `its member ${JSON.stringify(member.slice(0, 200))} ${reason}`);

/** Those that have to be fetched, each once. */
export async function missingLayers(
  deps: Pick<LayerTaking, "registry" | "blobs">,
  layers: readonly ImportedLayer[],
): Promise<readonly ImportedLayer[]> {
  const missing = new Map<string, ImportedLayer>();
  for (const layer of layers) if (!(await isHere(deps, layer))) missing.set(layer.digest, layer);
  return [...missing.values()];
}

/** Fetches layers, checks each byte, and makes them known to the registry. @throws {AppError} RemoteBlobCorrupt, LayerInvalid … */
export async function takeLayers(
  deps: LayerTaking,
  layers: readonly ImportedLayer[],
  context: RunContext,
): Promise<void> {
  const all = layers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let fetched = 0;
  await inParallel(layers, PARALLEL, context.signal, async (layer, signal) => {
    await takeLayer(deps, layer, signal);
    fetched += layer.sizeBytes;
    context.say(
      `Layer ${layer.digest.slice(0, 19)} (${layer.kind}) is here: ${megabytes(fetched)} of ${megabytes(all)} MB.`,
    );
  });
}

export const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);

async function takeLayer(deps: LayerTaking, layer: ImportedLayer, signal: AbortSignal): Promise<void> {
  const { registry, blobs, scratch, repository } = deps;
  const { kind, digest, diffId, mediaType, sizeBytes } = layer;
  // Of a model only the files will stay.
  const place = kind === "model" && !(await blobs.has(digest)) ? scratch : blobs;
  await repository.pull({ mediaType, digest, size: sizeBytes }, place, signal);
  await readLayerMembers(layer, place.read(digest), () => {}, signal);
  if (kind === "model" && mediaType === mediaTypes.layer && (await keptAsFiles(deps, layer, place, signal))) {
    await scratch.delete(digest);
    return;
  }
  if (place === scratch) await blobs.adopt(scratch.path(digest), digest);
  await registry.addStoredLayer({ digest, diffId, mediaType, sizeBytes });
}

/**
 * A model is kept as its files, from which the layer is made again: a gigabyte is on the disk once.
 *
 * @returns false when they do not make the same bytes
 */
async function keptAsFiles(
  { registry, blobs }: LayerTaking,
  { digest }: ImportedLayer,
  place: BlobStore,
  signal: AbortSignal,
): Promise<boolean> {
  const files: LayerFile[] = [];
  for await (const { path, executable: _, ...file } of storedFiles({ blobs }, digest, place.read(digest), signal)) {
    files.push({ name: path, ...file });
  }
  return (await registry.addFilesLayer(files, signal)).digest === digest;
}

export interface StoredFile {
  /** in the image's file system, relative */
  readonly path: string;
  readonly digest: string;
  readonly sizeBytes: number;
  readonly executable: boolean;
}

/** The plain files of a layer, each as a blob. Links are refused: what Slipway writes beside environments has none. */
export async function* storedFiles(
  { blobs }: { readonly blobs: BlobStore },
  layerDigest: string,
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncIterable<StoredFile> {
  const refuse = refuseIn(layerDigest);
  for await (const member of tarMembers(bytes, refuse, signal)) {
    const { kind, path } = member;
    if (path.split("/").some((part) => part.startsWith(".wh."))) throw refuse(path, "takes files away");
    if (kind === "link") throw refuse(path, "is a link");
    if (kind === "directory") continue;
    yield { path, executable: member.executable, ...(await blobs.put(member.bytes, { signal })) };
  }
}

async function isHere(
  { registry, blobs }: Pick<LayerTaking, "registry" | "blobs">,
  { digest, diffId, sizeBytes }: ImportedLayer,
): Promise<boolean> {
  const known = await registry.findLayer(digest);
  if (known === undefined) return false;
  if (known.diffId !== diffId || known.sizeBytes !== sizeBytes) {
    throw layerInvalid(
      digest,
      `its image announces ${sizeBytes} bytes and ${diffId}, but it has ${known.sizeBytes} and ${known.diffId}`,
    );
  }
  return hasSource(known, blobs);
}

/** What a layer is made from may have been removed by hand or by the garbage collection. */
async function hasSource({ digest, source }: Layer, blobs: BlobStore): Promise<boolean> {
  switch (source.type) {
    case "blob":
      return blobs.has(digest);
    case "files":
      for (const file of source.files) if (!(await blobs.has(file.digest))) return false;
      return true;
    case "tree":
      return access(source.root).then(
        () => true,
        () => false,
      );
    default:
      return source satisfies never;
  }
}
