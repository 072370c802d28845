import { type Static, Type } from "typebox";
import { Value } from "typebox/value";
import { type Descriptor, isDigest, mediaTypes } from "./registry.ts";
import { manifestInvalid, manifestTooLarge } from "./registry-errors.ts";

/** OCI distribution specification, "Pushing Manifests": what every registry takes. */
export const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;

const DescriptorDocument = Type.Object({
  mediaType: Type.String({ minLength: 1, maxLength: 255 }),
  digest: Type.String({ maxLength: 140 }),
  size: Type.Integer({ minimum: 0 }),
  urls: Type.Optional(Type.Array(Type.String())),
});
type DescriptorDocument = Static<typeof DescriptorDocument>;

const head = {
  schemaVersion: Type.Literal(2),
  mediaType: Type.Optional(Type.String()),
  artifactType: Type.Optional(Type.String({ maxLength: 255 })),
  subject: Type.Optional(DescriptorDocument),
  annotations: Type.Optional(Type.Record(Type.String(), Type.String())),
};
const ImageDocument = Type.Object({ ...head, config: DescriptorDocument, layers: Type.Array(DescriptorDocument) });
const IndexDocument = Type.Object({ ...head, manifests: Type.Array(DescriptorDocument) });

const IMAGES: readonly string[] = [mediaTypes.manifest, mediaTypes.dockerManifest];
const INDEXES: readonly string[] = [mediaTypes.index, mediaTypes.dockerManifestList];

/** What a registry has to know of a manifest; everything else in it is kept as it came. */
export interface ManifestDocument {
  readonly mediaType: string;
  /** as the referrers API shows it: of a manifest without one, the media type of its configuration */
  readonly artifactType: string | undefined;
  readonly subject: Descriptor | undefined;
  readonly annotations: Readonly<Record<string, string>> | undefined;
  /** configuration and layers that must be in the repository */
  readonly blobs: readonly Descriptor[];
  /** the manifests of an index */
  readonly manifests: readonly Descriptor[];
}

/**
 * Reads a manifest of the OCI image specification, or of Docker's second schema. Others are refused: what they name could not be
 * kept for them. Media types of configurations, layers and artifacts may be any.
 *
 * @param announced the media type that came with the bytes
 * @throws {AppError} MANIFEST_INVALID naming the field
 */
export function readManifest(bytes: Uint8Array, announced: string | undefined): ManifestDocument {
  if (bytes.length > MAX_MANIFEST_BYTES) throw manifestTooLarge(bytes.length, MAX_MANIFEST_BYTES);
  const json = parse(bytes);
  const mediaType = mediaTypeOf(json, announced);
  if (IMAGES.includes(mediaType)) {
    const document = check(ImageDocument, json);
    const layers = document.layers.filter((layer) => !isElsewhere(layer));
    return {
      ...common(document, mediaType, document.config.mediaType),
      blobs: [described(document.config, "config"), ...layers.map((layer) => described(layer, "layers"))],
      manifests: [],
    };
  }
  if (!INDEXES.includes(mediaType)) {
    throw manifestInvalid(
      `the media type "${mediaType.slice(0, 100)}" is none of ${[...IMAGES, ...INDEXES].join(", ")}`,
    );
  }
  const document = check(IndexDocument, json);
  return {
    ...common(document, mediaType, undefined),
    blobs: [],
    manifests: document.manifests.map((manifest) => described(manifest, "manifests")),
  };
}

function common(
  document: Static<typeof ImageDocument> | Static<typeof IndexDocument>,
  mediaType: string,
  configType: string | undefined,
) {
  const { artifactType, subject, annotations } = document;
  return {
    mediaType,
    artifactType: artifactType || configType,
    subject: subject && described(subject, "subject"),
    annotations,
  };
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw manifestInvalid(`it is not JSON (${error instanceof Error ? error.message : error})`);
  }
}

/** The document's own word, the announced one, or what its shape says (image specification: the field is only recommended). */
function mediaTypeOf(json: unknown, announced: string | undefined): string {
  const written = (json as { mediaType?: unknown } | null)?.mediaType;
  const type = announced?.split(";")[0]?.trim().toLowerCase() || undefined;
  if (typeof written !== "string") return type ?? mediaTypes.manifest;
  if (type !== undefined && type !== "application/json" && type !== written) {
    throw manifestInvalid(`it says ${written.slice(0, 100)}, but it was sent as ${type.slice(0, 100)}`);
  }
  return written;
}

function check<Schema extends typeof ImageDocument | typeof IndexDocument>(
  schema: Schema,
  json: unknown,
): Static<Schema> {
  const [first] = Value.Errors(schema, json);
  if (first === undefined) return json as Static<Schema>;
  throw manifestInvalid(`${first.instancePath.slice(1).replaceAll("/", ".") || "the document"} ${first.message}`);
}

function described({ mediaType, digest, size }: DescriptorDocument, field: string): Descriptor {
  if (!isDigest(digest))
    throw manifestInvalid(`${field} has "${digest.slice(0, 100)}", which is no SHA-256 or SHA-512`);
  return { mediaType, digest, size };
}

/** Layers that may not be distributed lie where their addresses say (image specification, "Non-Distributable Layers"). */
function isElsewhere({ urls, mediaType }: DescriptorDocument): boolean {
  return urls !== undefined && urls.length > 0 && /nondistributable|foreign/.test(mediaType);
}
