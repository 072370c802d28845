import { type Static, Type } from "typebox";

/** Files that one reservation may name (wire contract 5.1). */
export const MAX_RESERVED_PATHS = 50;

/**
 * Slipway's own request header for one block of an upload with an announced digest: where in the file the block belongs, in
 * bytes. Blocks that say so are written into place, and the commit need not copy them once more.
 */
export const BLOCK_OFFSET_HEADER = "x-slipway-offset";

/** What `headSha256` covers. A new version of a model often has the size of the old one, but hardly ever the same first MiB. */
export const HEAD_BYTES = 1024 * 1024;

/**
 * One file to reserve. The genuine client sends `path` only.
 *
 * Slipway's own extension: with `sha256` (64 hex digits, the whole file) the answer says whether the workspace holds
 * these bytes already, in which case nothing needs to be sent; the upload address then accepts no other bytes, and
 * blocks that an earlier attempt with the same digest left behind are still there (`comp=blocklist`). Reading a large file
 * twice costs time, so a client may announce `sizeBytes` and `headSha256` (of the first {@link HEAD_BYTES}, or of all if there
 * are fewer) first, and hash the whole only if the answer says that it `mayBeStored`.
 */
export const ArtifactToReserve = Type.Object({
  path: Type.String({ minLength: 1, maxLength: 1024 }),
  sha256: Type.Optional(Type.String({ pattern: "^[0-9a-f]{64}$" })),
  sizeBytes: Type.Optional(Type.Integer({ minimum: 0 })),
  headSha256: Type.Optional(Type.String({ pattern: "^[0-9a-f]{64}$" })),
});
export type ArtifactToReserve = Static<typeof ArtifactToReserve>;

/** The body of `POST artifacts/batch/metadata/{origin}/{container}`. */
export const ReserveArtifacts = Type.Object({
  paths: Type.Array(ArtifactToReserve, { minItems: 1, maxItems: MAX_RESERVED_PATHS }),
});
export type ReserveArtifacts = Static<typeof ReserveArtifacts>;

export const WireArtifact = Type.Object({
  artifactId: Type.String(),
  origin: Type.String(),
  container: Type.String(),
  path: Type.String(),
  etag: Type.Null(),
  createdTime: Type.String(),
  dataPath: Type.Null(),
});
export type WireArtifact = Static<typeof WireArtifact>;

export const ArtifactContentInformation = Type.Object({
  contentUri: Type.String(),
  origin: Type.String(),
  container: Type.String(),
  path: Type.String(),
});
export type ArtifactContentInformation = Static<typeof ArtifactContentInformation>;

export const ReservedContentInformation = Type.Object({
  ...ArtifactContentInformation.properties,
  /** `contentUri` without the user-info that the genuine client needs in it; browsers and `fetch` refuse such addresses */
  uploadUri: Type.String(),
  /** the announced bytes are in place: nothing to upload. Always false when no digest was announced */
  alreadyStored: Type.Boolean(),
  /** only where a head was announced: the workspace holds content with this size and head, or an interrupted upload could go on */
  mayBeStored: Type.Optional(Type.Boolean()),
});
export type ReservedContentInformation = Static<typeof ReservedContentInformation>;

/** The keys of both maps are the requested paths, letter by letter. */
export const ReservedArtifacts = Type.Object({
  artifacts: Type.Record(Type.String(), WireArtifact),
  artifactContentInformation: Type.Record(Type.String(), ReservedContentInformation),
  errors: Type.Object({}),
});
export type ReservedArtifacts = Static<typeof ReservedArtifacts>;

const ContinuationToken = Type.Unsafe<string | null>({ type: ["string", "null"] });

export const ArtifactContentPage = Type.Object({
  value: Type.Array(ArtifactContentInformation),
  continuationToken: ContinuationToken,
});
export type ArtifactContentPage = Static<typeof ArtifactContentPage>;

export const ArtifactPage = Type.Object({ value: Type.Array(WireArtifact), continuationToken: ContinuationToken });
export type ArtifactPage = Static<typeof ArtifactPage>;
