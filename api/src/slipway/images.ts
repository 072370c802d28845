import { type Static, type TSchema, Type } from "typebox";

const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

export const WireImageProof = Type.Object({
  type: Type.Union([Type.Literal("lock"), Type.Literal("sbom"), Type.Literal("provenance")]),
  artifactType: Type.String(),
  /** of the artifact's manifest in the registry */
  digest: Type.String(),
});
export type WireImageProof = Static<typeof WireImageProof>;

export const WireImageLayer = Type.Object({
  kind: Type.String(),
  title: Type.String(),
  digest: Type.String(),
  /** as it is pulled */
  sizeBytes: Type.Integer(),
  /** how many other images of the workspace have it, too */
  sharedWith: Type.Integer(),
});
export type WireImageLayer = Static<typeof WireImageLayer>;

export const WireInstalledPackage = Type.Object({
  name: Type.String(),
  version: Type.String(),
  /** Python package indexes or conda channels */
  source: Type.Union([Type.Literal("pypi"), Type.Literal("conda")]),
  licenses: Type.Array(Type.String()),
  /** of its files and their bytecode; null if it is not known */
  sizeBytes: nullable(Type.Integer()),
});
export type WireInstalledPackage = Static<typeof WireInstalledPackage>;

/** The answer of `GET /slipway/v1/WORKSPACE/images/ID/contents`: what a built image consists of. */
export const WireImageContents = Type.Object({
  imageId: Type.String(),
  digest: Type.String(),
  runtime: Type.Union([Type.Literal("python"), Type.Literal("onnx")]),
  driver: nullable(Type.String()),
  architecture: Type.String(),
  python: nullable(Type.String()),
  base: nullable(
    Type.Object({
      reference: Type.String(),
      digest: Type.String(),
      /** `debian 12` */
      distribution: nullable(Type.String()),
      /** of its operating system, sorted by name */
      packages: Type.Array(Type.Object({ name: Type.String(), version: Type.String() })),
    }),
  ),
  /** lowest first */
  layers: Type.Array(WireImageLayer),
  environment: nullable(
    Type.Object({
      id: Type.String(),
      sizeBytes: nullable(Type.Integer()),
      /** sorted by name */
      packages: Type.Array(WireInstalledPackage),
    }),
  ),
  models: Type.Array(
    Type.Object({
      id: Type.String(),
      name: Type.String(),
      version: Type.Integer(),
      files: Type.Integer(),
      sizeBytes: Type.Integer(),
    }),
  ),
  /** the user's files, sorted by path */
  code: Type.Array(Type.Object({ path: Type.String(), sizeBytes: Type.Integer(), digest: Type.String() })),
  environmentVariables: Type.Record(Type.String(), Type.String()),
  proofs: Type.Array(WireImageProof),
});
export type WireImageContents = Static<typeof WireImageContents>;

/** `from` is null for what only the second image has, `to` for what only the first has. */
export const WireImageChange = Type.Object({
  name: Type.String(),
  from: nullable(Type.String()),
  to: nullable(Type.String()),
});
export type WireImageChange = Static<typeof WireImageChange>;

const ComparedImage = Type.Object({ imageId: Type.String(), digest: Type.String(), sizeBytes: Type.Integer() });
const Changes = Type.Array(WireImageChange);

/** The answer of `GET /slipway/v1/WORKSPACE/images/ID/comparison`: how a second image differs from the first. */
export const WireImageComparison = Type.Object({
  from: ComparedImage,
  to: ComparedImage,
  /** of layers that both have */
  sharedBytes: Type.Integer(),
  packages: Changes,
  /** of the operating system in the base */
  basePackages: Changes,
  models: Changes,
  /** of the user's files; the values are digests */
  code: Changes,
  environmentVariables: Changes,
  settings: Changes,
});
export type WireImageComparison = Static<typeof WireImageComparison>;

export const CompareImagesQuery = Type.Object({
  /** the second image, `name:version` */
  to: Type.String({ maxLength: 300 }),
});
export type CompareImagesQuery = Static<typeof CompareImagesQuery>;

export const CodeFileQuery = Type.Object({
  /** as the contents have it */
  path: Type.String({ minLength: 1, maxLength: 4_000 }),
});
export type CodeFileQuery = Static<typeof CodeFileQuery>;

/** The body of `POST /slipway/v1/WORKSPACE/images/ID/rebuild`. */
export const RebuildImageRequest = Type.Object({
  /** true: packages are resolved anew; otherwise the lock stays */
  upgrade: Type.Optional(Type.Boolean()),
});
export type RebuildImageRequest = Static<typeof RebuildImageRequest>;

/** The body of `POST /slipway/v1/WORKSPACE/images/import`. User name and password go together. */
export const ImportImageRequest = Type.Object({
  /** `HOST[:PORT]/NAME[:TAG]` or `HOST[:PORT]/NAME@sha256:…` */
  reference: Type.String({ minLength: 1, maxLength: 600 }),
  /** that it gets here; the last part of the reference's name if not given */
  name: Type.Optional(Type.String({ maxLength: 300 })),
  /** that of the server's machine if not given */
  architecture: Type.Optional(Type.Union([Type.Literal("amd64"), Type.Literal("arm64")])),
  username: Type.Optional(Type.String({ minLength: 1, maxLength: 500 })),
  password: Type.Optional(Type.String({ minLength: 1, maxLength: 10_000 })),
});
export type ImportImageRequest = Static<typeof ImportImageRequest>;

/** The body of `POST /slipway/v1/WORKSPACE/images/ID/push`. User name and password go together. */
export const PushImageRequest = Type.Object({
  /** `HOST[:PORT]/NAME[:TAG]` */
  reference: Type.String({ minLength: 1, maxLength: 600 }),
  username: Type.Optional(Type.String({ minLength: 1, maxLength: 500 })),
  password: Type.Optional(Type.String({ minLength: 1, maxLength: 10_000 })),
});
export type PushImageRequest = Static<typeof PushImageRequest>;
