import { type Static, Type } from "typebox";

const NullableText = Type.Unsafe<string | null>({ type: ["string", "null"] });
const NullableNumber = Type.Unsafe<number | null>({ type: ["number", "null"] });

/** Tags and properties as they are sent. The genuine client passes numbers on in patches; they are kept as text. */
export const LabelsToSet = Type.Unsafe<Record<string, string | number | boolean> | null>({
  type: ["object", "null"],
  additionalProperties: { type: ["string", "number", "boolean"] },
});
export type LabelsToSet = Static<typeof LabelsToSet>;

/** `aml://dataset/…`, or an input itself: JSON text, or JSON that is kept as its text. */
export const SampleToSet = Type.Unsafe<unknown>({ type: ["string", "object", "array", "null"] });

export const DatasetReferences = Type.Array(Type.Object({ name: Type.String(), id: Type.String() }), {
  maxItems: 1_000,
});
export type DatasetReferences = Static<typeof DatasetReferences>;

/** What a container of this model needs. The genuine client leaves out what is not set. */
export const ResourcesToSet = Type.Unsafe<{
  readonly cpu?: number | null;
  readonly memoryInGB?: number | null;
  readonly gpu?: number | null;
} | null>({
  type: ["object", "null"],
  properties: {
    cpu: { type: ["number", "null"], minimum: 0 },
    memoryInGB: { type: ["number", "null"], minimum: 0 },
    gpu: { type: ["number", "null"], minimum: 0 },
  },
});
export type ResourcesToSet = Static<typeof ResourcesToSet>;

/** The body of `POST assets` (wire contract 6.1): files below a prefix, or one file by its id. */
export const CreateAsset = Type.Object({
  name: Type.String({ minLength: 1, maxLength: 255 }),
  artifacts: Type.Array(
    Type.Object({
      prefix: Type.Optional(NullableText),
      id: Type.Optional(NullableText),
    }),
    { minItems: 1, maxItems: 1_000 },
  ),
});
export type CreateAsset = Static<typeof CreateAsset>;

export const WireAsset = Type.Object({
  id: Type.String(),
  name: Type.String(),
  artifacts: Type.Array(Type.Object({ prefix: Type.Optional(Type.String()), id: Type.Optional(Type.String()) })),
  createdTime: Type.String(),
});
export type WireAsset = Static<typeof WireAsset>;

/** The body of `POST models` (wire contract 6.1). Fields without a value are absent. */
export const RegisterModel = Type.Object({
  name: Type.String(),
  url: Type.String(),
  mimeType: Type.Optional(Type.String({ maxLength: 255 })),
  description: Type.Optional(NullableText),
  unpack: Type.Optional(Type.Boolean()),
  kvTags: Type.Optional(LabelsToSet),
  properties: Type.Optional(LabelsToSet),
  datasets: Type.Optional(Type.Union([DatasetReferences, Type.Null()])),
  framework: Type.Optional(NullableText),
  frameworkVersion: Type.Optional(NullableText),
  experimentName: Type.Optional(NullableText),
  runId: Type.Optional(NullableText),
  parentModelId: Type.Optional(NullableText),
  sampleInputData: Type.Optional(SampleToSet),
  sampleOutputData: Type.Optional(SampleToSet),
  resourceRequirements: Type.Optional(ResourcesToSet),
});
export type RegisterModel = Static<typeof RegisterModel>;

/** The answer for one model: every field is there in every answer, null where it has no value. */
export const WireModel = Type.Object({
  id: Type.String(),
  name: Type.String(),
  version: Type.Integer(),
  framework: Type.String(),
  frameworkVersion: NullableText,
  datasets: DatasetReferences,
  url: Type.String(),
  mimeType: Type.String(),
  description: NullableText,
  createdTime: Type.String(),
  modifiedTime: Type.String(),
  unpack: Type.Boolean(),
  parentModelId: NullableText,
  runId: NullableText,
  experimentName: NullableText,
  kvTags: Type.Record(Type.String(), Type.String()),
  properties: Type.Record(Type.String(), Type.String()),
  derivedModelIds: Type.Array(Type.String()),
  sampleInputData: NullableText,
  sampleOutputData: NullableText,
  /** when it is set, all three keys are: the genuine client insists on `gpu` */
  resourceRequirements: Type.Unsafe<{ cpu: number | null; memoryInGB: number | null; gpu: number | null } | null>({
    type: ["object", "null"],
    properties: { cpu: NullableNumber, memoryInGB: NullableNumber, gpu: NullableNumber },
  }),
  createdBy: Type.Object({ userObjectId: Type.String(), userTenantId: Type.String(), userName: Type.String() }),
});
export type WireModel = Static<typeof WireModel>;

/** A model inside an image or a service: a stricter reader of the client looks for the tags under `tags` (wire contract 7.2). */
export const EmbeddedWireModel = Type.Object({
  ...WireModel.properties,
  tags: Type.Record(Type.String(), Type.String()),
});
export type EmbeddedWireModel = Static<typeof EmbeddedWireModel>;

/** The client reads `$skipToken` out of `nextLink` and repeats its own query with it. */
export const WireModelPage = Type.Object({
  value: Type.Array(WireModel),
  nextLink: NullableText,
  continuationToken: NullableText,
});
export type WireModelPage = Static<typeof WireModelPage>;

/** Filters of `GET models`; `tags` and `properties` are `k=v,k2`: all must match, a key alone must exist. */
export const ListModels = Type.Object({
  name: Type.Optional(Type.String()),
  tags: Type.Optional(Type.String()),
  properties: Type.Optional(Type.String()),
  framework: Type.Optional(Type.String()),
  runId: Type.Optional(Type.String()),
  datasetId: Type.Optional(Type.String()),
  latestVersionOnly: Type.Optional(Type.String({ pattern: "^([Tt]rue|[Ff]alse)$" })),
  orderBy: Type.Optional(Type.String({ pattern: "^(CreatedAtDesc|CreatedAtAsc|UpdatedAtDesc|UpdatedAtAsc)$" })),
  count: Type.Optional(Type.String({ pattern: "^[0-9]{1,6}$" })),
  offset: Type.Optional(Type.String({ pattern: "^[0-9]{1,9}$" })),
  $skipToken: Type.Optional(Type.String({ maxLength: 1_000 })),
});
export type ListModels = Static<typeof ListModels>;

/** The body of `PATCH models/{id}`; which operations are allowed on which paths is checked one by one. */
export const ModelPatch = Type.Array(
  Type.Object({ op: Type.String(), path: Type.String(), value: Type.Optional(Type.Unknown()) }),
  { maxItems: 100 },
);
export type ModelPatch = Static<typeof ModelPatch>;
