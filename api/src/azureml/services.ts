import { type Static, type TSchema, Type } from "typebox";

/** A member that may be absent or null: the genuine client sends both for "not said". */
const optional = <Schema extends TSchema>(schema: Schema) => Type.Optional(Type.Union([schema, Type.Null()]));
const Texts = Type.Record(Type.String(), Type.String());

/** Wire contract, section 13.1; `environment` is given back as it came. */
export const EnvironmentImageRequest = Type.Object({
  driverProgram: optional(Type.String()),
  assets: optional(
    Type.Array(
      Type.Object({
        id: Type.String(),
        url: Type.String(),
        mimeType: optional(Type.String()),
        unpack: optional(Type.Boolean()),
      }),
    ),
  ),
  modelIds: optional(Type.Array(Type.String())),
  environment: optional(
    Type.Object({
      name: optional(Type.String()),
      environmentVariables: optional(Texts),
      python: optional(
        Type.Object({
          userManagedDependencies: optional(Type.Boolean()),
          condaDependencies: optional(Type.Record(Type.String(), Type.Unknown())),
        }),
      ),
      docker: optional(
        Type.Object({
          baseImage: optional(Type.String({ maxLength: 400 })),
          baseDockerfile: optional(Type.String()),
          baseImageRegistry: optional(Type.Record(Type.String(), Type.Unknown())),
          platform: optional(Type.Object({ architecture: optional(Type.String({ maxLength: 50 })) })),
        }),
      ),
    }),
  ),
});
export type EnvironmentImageRequest = Static<typeof EnvironmentImageRequest>;

export const ContainerResourceRequirements = Type.Object({
  cpu: optional(Type.Number({ exclusiveMinimum: 0, maximum: 1024 })),
  memoryInGB: optional(Type.Number({ exclusiveMinimum: 0, maximum: 65536 })),
});

/** Wire contract, section 9.1. `minReplicas` 0 and `idleSeconds` are not in v1: no replicas after so long without a request. */
export const AutoScaler = Type.Object(
  {
    autoscaleEnabled: optional(Type.Boolean()),
    minReplicas: optional(Type.Integer({ minimum: 0, maximum: 100 })),
    maxReplicas: optional(Type.Integer({ minimum: 1, maximum: 100 })),
    /** percent */
    targetUtilization: optional(Type.Integer({ minimum: 1, maximum: 100 })),
    refreshPeriodInSeconds: optional(Type.Integer({ minimum: 1, maximum: 3600 })),
    idleSeconds: optional(Type.Integer({ minimum: 1, maximum: 86_400 })),
  },
  { additionalProperties: false },
);
export type AutoScaler = Static<typeof AutoScaler>;

/** `POST services` (wire contract, sections 9.1 and 13.1). Members not named here are given back by reads or ignored. */
export const CreateServiceBody = Type.Object({
  name: Type.String({ maxLength: 255 }),
  description: optional(Type.String()),
  kvTags: optional(Texts),
  properties: optional(Texts),
  computeType: Type.String(),
  computeName: optional(Type.String()),
  imageId: optional(Type.String()),
  environmentImageRequest: optional(EnvironmentImageRequest),
  overwrite: optional(Type.Boolean()),
  keys: optional(Type.Object({ primaryKey: optional(Type.String()), secondaryKey: optional(Type.String()) })),
  containerResourceRequirements: optional(ContainerResourceRequirements),
  autoScaler: optional(AutoScaler),
  numReplicas: optional(Type.Integer({ minimum: 1, maximum: 100 })),
  maxConcurrentRequestsPerContainer: optional(Type.Integer({ minimum: 1, maximum: 1000 })),
  maxQueueWaitMs: optional(Type.Integer({ minimum: 0, maximum: 3_600_000 })),
  scoringTimeoutMs: optional(Type.Integer({ minimum: 1, maximum: 3_600_000 })),
  authEnabled: optional(Type.Boolean()),
  aadAuthEnabled: optional(Type.Boolean()),
  appInsightsEnabled: optional(Type.Boolean()),
  dataCollection: optional(
    Type.Object({ storageEnabled: optional(Type.Boolean()), eventHubEnabled: optional(Type.Boolean()) }),
  ),
  sslEnabled: optional(Type.Boolean()),
  sslCertificate: optional(Type.String()),
  sslKey: optional(Type.String()),
  cname: optional(Type.String()),
  /** not in v1: origins whose pages may call the service (CORS), or `*`; the same as the property `slipway.cors` */
  corsOrigins: optional(Type.Array(Type.String(), { maxItems: 100 })),
  dnsNameLabel: optional(Type.String()),
  location: optional(Type.String()),
});
export type CreateServiceBody = Static<typeof CreateServiceBody>;

/** RFC 6902, as `PATCH services/{name}` sends it (wire contract, section 9.3). */
export const JsonPatch = Type.Array(
  Type.Object({
    op: Type.String(),
    path: Type.String(),
    value: Type.Optional(Type.Unknown()),
  }),
  { maxItems: 200 },
);
export type JsonPatch = Static<typeof JsonPatch>;

export const ServicePath = Type.Object({ name: Type.String({ minLength: 1, maxLength: 255 }) });

export const ServiceListQuery = Type.Object({
  computeType: Type.Optional(Type.String()),
  imageName: Type.Optional(Type.String()),
  imageId: Type.Optional(Type.String()),
  imageDigest: Type.Optional(Type.String()),
  modelName: Type.Optional(Type.String()),
  modelId: Type.Optional(Type.String()),
  tags: Type.Optional(Type.String()),
  properties: Type.Optional(Type.String()),
});
export type ServiceListQuery = Static<typeof ServiceListQuery>;

export const ServiceReadQuery = Type.Object({ expand: Type.Optional(Type.Boolean()) });

/** `POST services/validate`: what is about to be done, for objections before it is tried. */
export const ValidateServiceBody = Type.Object({
  type: Type.String(),
  serviceName: optional(Type.String()),
  createRequest: Type.Optional(Type.Unknown()),
  updateRequest: Type.Optional(Type.Unknown()),
});

/** `{}` is "no objection"; `error` must not be null. */
export const ValidationAnswer = Type.Object({
  error: Type.Optional(Type.Object({ message: Type.String() })),
});

export const ServiceLogsQuery = Type.Object({
  tail: Type.Optional(Type.Integer({ minimum: 1, maximum: 100_000 })),
});
export const ServiceLogs = Type.Object({ content: Type.String() });

/** Wire contract, section 10. */
export const ServiceKeys = Type.Object({ primaryKey: Type.String(), secondaryKey: Type.String() });
export const RegenerateKeysBody = Type.Object({
  keyType: Type.Union([Type.Literal("Primary"), Type.Literal("Secondary")]),
  keyValue: optional(Type.String()),
});
/** Times in epoch seconds. */
export const ServiceToken = Type.Object({
  accessToken: Type.String(),
  tokenType: Type.String(),
  refreshAfter: Type.Integer(),
  expiryOn: Type.Integer(),
});

const nullable = <Schema extends TSchema>(schema: Schema) => Type.Union([schema, Type.Null()]);

/** A service as reads answer it (wire contract, section 9.2); members of the compute type follow the common part. */
export const WireService = Type.Object(
  {
    name: Type.String(),
    description: nullable(Type.String()),
    kvTags: Texts,
    properties: Texts,
    operationId: nullable(Type.String()),
    state: Type.Union([
      Type.Literal("Transitioning"),
      Type.Literal("Healthy"),
      Type.Literal("Unhealthy"),
      Type.Literal("Failed"),
    ]),
    createdTime: Type.String(),
    updatedTime: Type.String(),
    error: nullable(
      Type.Object({
        code: Type.String(),
        statusCode: Type.Integer(),
        message: Type.String(),
        details: Type.Array(Type.Object({ code: Type.String(), message: Type.String() })),
      }),
    ),
    computeType: Type.String(),
    deploymentType: Type.String(),
    createdBy: Type.Object({ userName: Type.String() }),
    imageId: Type.String(),
    imageDigest: nullable(Type.String()),
    scoringUri: Type.String(),
  },
  { additionalProperties: true },
);
export type WireService = Static<typeof WireService>;
export const WireServiceList = Type.Object({ value: Type.Array(WireService) });
