import { Type } from "typebox";
import { Value } from "typebox/value";
import type { Descriptor, Platform } from "../../registry/index.ts";
import {
  choosePlatform,
  digestOf,
  fits,
  type ImageManifest,
  manifestInvalid,
  parseImageConfig,
  parseManifest,
  platformNotOffered,
  type RemoteRepository,
} from "../../registry/remote/index.ts";
import { imageForeign } from "./import-errors.ts";

/** What manifest and configuration say of an image that Slipway has built, fixed by its digest. */
export interface ImportedManifest {
  readonly manifest: Descriptor;
  readonly config: Descriptor;
  /** as OCI names it: `amd64`, `arm64` */
  readonly architecture: string;
  /** lowest first */
  readonly layers: readonly ImportedLayer[];
  readonly base: { readonly reference: string; readonly digest: string; readonly user: string } | null;
  /** all that are set in it */
  readonly variables: Readonly<Record<string, string>>;
}

export interface ImportedLayer {
  /** `base`, `model`, `code` …, as the build wrote it */
  readonly kind: string;
  readonly digest: string;
  /** digest of the uncompressed tar */
  readonly diffId: string;
  readonly mediaType: string;
  readonly sizeBytes: number;
}

export interface ReadManifest {
  readonly described: ImportedManifest;
  /** as the registry has them: the digest is theirs */
  readonly manifestBytes: Uint8Array;
  readonly configBytes: Uint8Array;
}

const Annotations = Type.Optional(Type.Record(Type.String(), Type.String()));
const Annotated = Type.Object({
  mediaType: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  annotations: Annotations,
  layers: Type.Array(Type.Object({ annotations: Annotations })),
});

const KIND = "dev.slipway.layer";
const BASE = "org.opencontainers.image.base";

/**
 * Reads what is to be imported.
 *
 * @param name for messages
 * @param target tag or digest
 * @throws {AppError} ImageForeign, PlatformNotOffered, ManifestInvalid, RemoteImageNotFound and others of the registry
 */
export async function readImportedManifest(
  repository: RemoteRepository,
  name: string,
  target: string,
  wanted: Platform,
  signal: AbortSignal,
): Promise<ReadManifest> {
  const { bytes, mediaType: announced, manifest } = await manifestFor(repository, name, target, wanted, signal);
  const configBytes = await repository.document(manifest.config, signal);
  const { platform, diffIds, config } = parseImageConfig(name, configBytes, manifest.layers.length);
  if (!fits(platform, wanted)) throw platformNotOffered(name, wanted, [platform]);
  const { annotations = {}, kinds, mediaType = announced } = annotationsIn(name, bytes);
  const { [`${BASE}.name`]: reference, [`${BASE}.digest`]: digest } = annotations;
  const described: ImportedManifest = {
    manifest: { mediaType, digest: digestOf(bytes), size: bytes.length },
    config: manifest.config,
    architecture: platform.architecture,
    layers: manifest.layers.map((layer, index) => ({
      kind: kinds[index] ?? "",
      digest: layer.digest,
      diffId: diffIds[index] ?? "",
      mediaType: layer.mediaType,
      sizeBytes: layer.size,
    })),
    base: reference === undefined || digest === undefined ? null : { reference, digest, user: config.user },
    variables: config.env,
  };
  return { described, manifestBytes: bytes, configBytes };
}

async function manifestFor(
  repository: RemoteRepository,
  name: string,
  target: string,
  wanted: Platform,
  signal: AbortSignal,
): Promise<{ readonly bytes: Uint8Array; readonly mediaType: string; readonly manifest: ImageManifest }> {
  const first = await repository.manifest(target, signal);
  const document = parseManifest(name, first.mediaType, first.bytes);
  if (document.kind === "manifest") return { ...first, manifest: document };
  const chosen = choosePlatform(name, document, wanted);
  const second = await repository.manifest(chosen.digest, signal);
  const manifest = parseManifest(name, second.mediaType, second.bytes);
  if (manifest.kind === "index") throw manifestInvalid(name, "its index names another index");
  return { ...second, manifest };
}

/** A build marks each layer; other images have no such marks. */
function annotationsIn(name: string, bytes: Uint8Array) {
  const document: unknown = JSON.parse(new TextDecoder().decode(bytes));
  if (!Value.Check(Annotated, document)) throw imageForeign(name, "its annotations are no texts");
  const kinds = document.layers.flatMap((layer) => layer.annotations?.[KIND] ?? []);
  if (kinds.length === 0) throw imageForeign(name, `no layer of it has the annotation ${KIND}`);
  if (kinds.length < document.layers.length) {
    throw imageForeign(name, `${document.layers.length - kinds.length} of its layers have no annotation ${KIND}`);
  }
  // Registries may announce another than the manifest says itself, which counts.
  return { annotations: document.annotations, kinds, mediaType: document.mediaType ?? undefined };
}
