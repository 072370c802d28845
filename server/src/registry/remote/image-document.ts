import { createHash } from "node:crypto";
import { type Static, type TSchema, Type } from "typebox";
import { Value } from "typebox/value";
import type { ImageConfig, Platform } from "../image-config.ts";
import { type Descriptor, mediaTypes } from "../registry.ts";
import { manifestInvalid, platformNotOffered } from "./remote-errors.ts";

const DOCKER = "application/vnd.docker";
const INDEX_TYPES = [
  "application/vnd.oci.image.index.v1+json",
  `${DOCKER}.distribution.manifest.list.v2+json`,
] as const;
const MANIFEST_TYPES = [mediaTypes.manifest, `${DOCKER}.distribution.manifest.v2+json`] as const;

/** What a client says it can read. */
export const acceptedManifests: readonly string[] = [...MANIFEST_TYPES, ...INDEX_TYPES];
/** The distribution specification makes registries take this much; nobody needs more. */
export const MAX_DOCUMENT_BYTES = 4 * 1024 * 1024;

/** Layers by their media type, as OCI names them. Docker's bytes are the same. */
const LAYER_TYPES: Readonly<Record<string, string>> = {
  [mediaTypes.layer]: mediaTypes.layer,
  [mediaTypes.layerGzip]: mediaTypes.layerGzip,
  "application/vnd.oci.image.layer.v1.tar+zstd": "application/vnd.oci.image.layer.v1.tar+zstd",
  [`${DOCKER}.image.rootfs.diff.tar`]: mediaTypes.layer,
  [`${DOCKER}.image.rootfs.diff.tar.gzip`]: mediaTypes.layerGzip,
  [`${DOCKER}.image.rootfs.diff.tar.zstd`]: "application/vnd.oci.image.layer.v1.tar+zstd",
};

/** Go writes `null` for what is empty. */
const optional = <Schema extends TSchema>(schema: Schema) => Type.Optional(Type.Union([schema, Type.Null()]));
const texts = optional(Type.Array(Type.String(), { maxItems: 10_000 }));
const DescriptorShape = Type.Object({
  mediaType: Type.String({ maxLength: 255 }),
  digest: Type.String({ pattern: "^sha256:[0-9a-f]{64}$" }),
  size: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
});
const PlatformShape = Type.Object({
  os: Type.String(),
  architecture: Type.String(),
  variant: optional(Type.String()),
});
const ManifestShape = Type.Object({
  schemaVersion: Type.Literal(2),
  mediaType: optional(Type.String()),
  config: DescriptorShape,
  layers: Type.Array(DescriptorShape, { maxItems: 1_000 }),
});
const IndexShape = Type.Object({
  schemaVersion: Type.Literal(2),
  mediaType: optional(Type.String()),
  manifests: Type.Array(Type.Intersect([DescriptorShape, Type.Object({ platform: optional(PlatformShape) })]), {
    maxItems: 10_000,
  }),
});
const ConfigShape = Type.Object({
  os: Type.String(),
  architecture: Type.String(),
  variant: optional(Type.String()),
  rootfs: Type.Object({
    diff_ids: Type.Array(Type.String({ pattern: "^sha256:[0-9a-f]{64}$" }), { maxItems: 1_000 }),
  }),
  config: optional(
    Type.Object({
      Env: texts,
      User: optional(Type.String()),
      WorkingDir: optional(Type.String()),
      Entrypoint: texts,
      Cmd: texts,
      Labels: optional(Type.Record(Type.String(), Type.String())),
      ExposedPorts: optional(Type.Record(Type.String(), Type.Unknown())),
    }),
  ),
});

export interface ImageManifest {
  readonly kind: "manifest";
  readonly config: Descriptor;
  /** lowest first, media types translated to OCI's */
  readonly layers: readonly Descriptor[];
}

export interface ImageIndex {
  readonly kind: "index";
  readonly manifests: readonly (Descriptor & { readonly platform?: Platform })[];
}

/**
 * Reads a manifest or an index.
 *
 * @param image its name, for messages
 * @throws {AppError} ManifestInvalid: not JSON, another format, a layer that is not a tar
 */
export function parseManifest(image: string, mediaType: string, bytes: Uint8Array): ImageManifest | ImageIndex {
  const document = parseJson(image, bytes);
  const type = (document as { mediaType?: unknown } | null)?.mediaType ?? mediaType;
  if (INDEX_TYPES.some((known) => known === type)) {
    const { manifests } = checked(image, IndexShape, document);
    return {
      kind: "index",
      manifests: manifests.map(({ platform, ...descriptor }) => ({
        ...descriptor,
        ...(platform ? { platform: toPlatform(platform) } : {}),
      })),
    };
  }
  if (!MANIFEST_TYPES.some((known) => known === type)) {
    throw manifestInvalid(image, `its media type is ${JSON.stringify(String(type).slice(0, 200))}`);
  }
  const { config, layers } = checked(image, ManifestShape, document);
  return {
    kind: "manifest",
    config,
    layers: layers.map((layer) => {
      const known = Object.hasOwn(LAYER_TYPES, layer.mediaType) ? LAYER_TYPES[layer.mediaType] : undefined;
      if (known === undefined) {
        throw manifestInvalid(image, `a layer has the media type ${JSON.stringify(layer.mediaType)}`);
      }
      return { mediaType: known, digest: layer.digest, size: layer.size };
    }),
  };
}

/** The manifest for a platform. Of several that fit, the one that asks for the least of the processor. @throws {AppError} PlatformNotOffered */
export function choosePlatform(image: string, index: ImageIndex, wanted: Platform): Descriptor {
  const offered = index.manifests.flatMap(({ platform }) => (platform ? [platform] : []));
  const fitting = index.manifests.filter(({ platform }) => platform !== undefined && fits(platform, wanted));
  const [best] = fitting.sort((a, b) => variantRank(a.platform, wanted) - variantRank(b.platform, wanted));
  if (best === undefined) throw platformNotOffered(image, wanted, offered.filter(isReal));
  return { mediaType: best.mediaType, digest: best.digest, size: best.size };
}

/** Builders put proofs of origin beside images, for the platform "unknown". */
const isReal = (platform: Platform) => platform.os !== "unknown";

export function fits(offered: Platform, wanted: Platform): boolean {
  return (
    offered.os === wanted.os &&
    offered.architecture === wanted.architecture &&
    (wanted.variant === undefined || offered.variant === undefined || offered.variant <= wanted.variant)
  );
}

/** v8 of arm64 and v1 of amd64 are what every processor of the kind has; without a wish the lowest is right. */
function variantRank(platform: Platform | undefined, wanted: Platform): number {
  if (platform?.variant === wanted.variant) return 0;
  if (platform?.variant === undefined) return 1;
  const level = Number(platform.variant.slice(1)) || 99;
  return wanted.variant === undefined ? 1 + level : 200 - level;
}

export interface ImageConfigDocument {
  readonly platform: Platform;
  readonly diffIds: readonly string[];
  readonly config: ImageConfig;
}

/** Reads an image's configuration. @throws {AppError} ManifestInvalid */
export function parseImageConfig(image: string, bytes: Uint8Array, layers: number): ImageConfigDocument {
  const document = checked(image, ConfigShape, parseJson(image, bytes));
  const { rootfs, config } = document;
  if (rootfs.diff_ids.length !== layers) {
    throw manifestInvalid(image, `it has ${layers} layers, but its configuration tells of ${rootfs.diff_ids.length}`);
  }
  return {
    platform: toPlatform(document),
    diffIds: rootfs.diff_ids,
    config: {
      env: Object.fromEntries((config?.Env ?? []).map(splitVariable)),
      user: config?.User ?? "",
      workingDirectory: config?.WorkingDir ?? "",
      entrypoint: config?.Entrypoint ?? [],
      command: config?.Cmd ?? [],
      labels: { ...config?.Labels },
      exposedPorts: Object.keys(config?.ExposedPorts ?? {}),
    },
  };
}

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

function splitVariable(text: string): readonly [string, string] {
  const equals = text.indexOf("=");
  return equals === -1 ? [text, ""] : [text.slice(0, equals), text.slice(equals + 1)];
}

function toPlatform({ os, architecture, variant }: Static<typeof PlatformShape>): Platform {
  return { os, architecture, ...(variant ? { variant } : {}) };
}

function parseJson(image: string, bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw manifestInvalid(image, "it is not JSON");
  }
}

function checked<Schema extends TSchema>(image: string, schema: Schema, document: unknown): Static<Schema> {
  if (Value.Check(schema, document)) return document;
  const [problem] = Value.Errors(schema, document);
  throw manifestInvalid(image, `${problem?.instancePath || "the whole"} ${problem?.message ?? "is wrong"}`);
}
