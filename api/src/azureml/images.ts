import { type Static, type TSchema, Type } from "typebox";

const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
/** Absent and null mean the same: the genuine client sends both. */
const Optional = <T extends TSchema>(schema: T) => Type.Optional(nullable(schema));
const Texts = Type.Record(Type.String(), nullable(Type.String()));

/** A file that an image is made from (wire contract 7.1). */
export const ImageAssetRequest = Type.Object({
  id: Type.String({ minLength: 1, maxLength: 1_000 }),
  url: Type.String({ minLength: 1, maxLength: 4_000 }),
  mimeType: Optional(Type.String()),
  unpack: Optional(Type.Boolean()),
});

/** The body of `POST images` (wire contract 7.1). */
export const CreateImageRequest = Type.Object({
  name: Type.String(),
  description: Optional(Type.String()),
  kvTags: Optional(Texts),
  properties: Optional(Texts),
  modelIds: Optional(Type.Array(Type.String(), { maxItems: 100 })),
  imageType: Optional(Type.String()),
  imageFlavor: Optional(Type.String()),
  driverProgram: Optional(Type.String()),
  assets: Optional(Type.Array(ImageAssetRequest, { maxItems: 1_000 })),
  targetRuntime: Optional(
    Type.Object({
      runtimeType: Optional(Type.String()),
      targetArchitecture: Optional(Type.String()),
      properties: Optional(Type.Record(Type.String(), Type.Unknown())),
    }),
  ),
  dockerFileUri: Optional(Type.String()),
  baseImage: Optional(Type.String()),
  baseImageRegistryInfo: Optional(
    Type.Object({
      location: Optional(Type.String()),
      user: Optional(Type.String()),
      password: Optional(Type.String()),
    }),
  ),
});
export type CreateImageRequest = Static<typeof CreateImageRequest>;

/** Filters of `GET images`; texts as they come in the address (wire contract 7.3). */
export const ListImagesQuery = Type.Object({
  name: Type.Optional(Type.String()),
  version: Type.Optional(Type.String()),
  modelName: Type.Optional(Type.String()),
  modelId: Type.Optional(Type.String()),
  tags: Type.Optional(Type.String()),
  properties: Type.Optional(Type.String()),
  orderBy: Type.Optional(Type.String()),
  count: Type.Optional(Type.Integer({ minimum: 1 })),
  expand: Type.Optional(Type.String()),
  $skipToken: Type.Optional(Type.String()),
});
export type ListImagesQuery = Static<typeof ListImagesQuery>;

/** An image as every call answers it (wire contract 7.2). */
export const WireImage = Type.Object({
  id: Type.String(),
  name: Type.String(),
  version: Type.Integer(),
  description: nullable(Type.String()),
  kvTags: Type.Record(Type.String(), Type.String()),
  properties: Type.Record(Type.String(), Type.String()),
  createdTime: Type.String(),
  imageType: Type.String(),
  imageFlavor: Type.String(),
  creationState: Type.String(),
  error: nullable(
    Type.Object({
      code: Type.String(),
      statusCode: Type.Integer(),
      message: Type.String(),
      details: Type.Array(Type.Object({ code: Type.String(), message: Type.String() })),
    }),
  ),
  modelIds: Type.Array(Type.String()),
  imageLocation: nullable(Type.String()),
  imageDigest: nullable(Type.String()),
  imageBuildLogUri: Type.String(),
  generatedDockerFileUri: Type.String(),
  driverProgram: nullable(Type.String()),
  assets: Type.Array(
    Type.Object({ id: Type.String(), url: Type.String(), mimeType: Type.String(), unpack: Type.Boolean() }),
  ),
  targetRuntime: Type.Object({
    runtimeType: Type.String(),
    targetArchitecture: Type.String(),
    properties: Type.Record(Type.String(), Type.Unknown()),
  }),
  /** with `expand=true` only: the models as `GET models/ID` answers them */
  modelDetails: Type.Optional(Type.Array(Type.Unknown())),
});
export type WireImage = Static<typeof WireImage>;

/** One page; `nextLink` is absent on the last one, since the genuine client follows a null (wire contract 7.3). */
export const WireImagePage = Type.Object({ value: Type.Array(WireImage), nextLink: Type.Optional(Type.String()) });
