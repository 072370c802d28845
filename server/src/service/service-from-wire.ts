import type { AutoScaler, CreateServiceBody, EnvironmentImageRequest } from "@slipway/api";
import { stringify } from "yaml";
import { readBase } from "../image/index.ts";
import { ownArchitecture } from "../platform/architecture.ts";
import type { Scaling } from "./service.ts";
import type { RequestedCertificate } from "./service-certificate.ts";
import { GIB } from "./service-defaults.ts";
import { CORS_PROPERTY } from "./service-properties.ts";
import type { CreateServiceRequest, RequestedSettings } from "./service-request.ts";

/** Members of a create that reads give back as they came. */
const givenBack = ["cname", "dnsNameLabel", "location"] as const;

export function createRequest(body: CreateServiceBody): CreateServiceRequest {
  const { containerResourceRequirements: resources, dataCollection, keys, environmentImageRequest } = body;
  return {
    name: body.name,
    computeType: body.computeType,
    computeName: body.computeName ?? undefined,
    overwrite: body.overwrite ?? false,
    description: body.description ?? null,
    tags: body.kvTags ?? {},
    properties: { ...body.properties, ...corsProperty(body.corsOrigins) },
    certificate: requestedCertificate(body),
    imageId: body.imageId ?? undefined,
    imageRequest: environmentImageRequest ? imageRequest(environmentImageRequest) : undefined,
    cpu: resources?.cpu ?? undefined,
    memoryBytes: bytes(resources?.memoryInGB),
    replicas: body.numReplicas ?? undefined,
    // v1: a fixed number instead of the autoscaler.
    scaling: body.numReplicas != null && !body.autoScaler ? { enabled: false } : scalingOf(body.autoScaler),
    maxConcurrentRequests: body.maxConcurrentRequestsPerContainer ?? undefined,
    scoringTimeoutMs: body.scoringTimeoutMs ?? undefined,
    maxQueueWaitMs: body.maxQueueWaitMs ?? undefined,
    authEnabled: body.authEnabled ?? undefined,
    tokenAuthEnabled: body.aadAuthEnabled ?? undefined,
    appInsightsEnabled: body.appInsightsEnabled ?? undefined,
    storageEnabled: dataCollection?.storageEnabled ?? undefined,
    eventHubEnabled: dataCollection?.eventHubEnabled ?? undefined,
    primaryKey: keys?.primaryKey ?? undefined,
    secondaryKey: keys?.secondaryKey ?? undefined,
    wireExtras: {
      ...Object.fromEntries(givenBack.flatMap((member) => (body[member] == null ? [] : [[member, body[member]]]))),
      ...(environmentImageRequest ? { environmentImageRequest: withoutPassword(environmentImageRequest) } : {}),
    },
  };
}

/** Whoever names a number wants it to be kept to: scaling is on then, unless it is switched off. */
export function scalingOf(autoScaler: AutoScaler | null | undefined): Partial<Scaling> | undefined {
  if (!autoScaler) return undefined;
  const { autoscaleEnabled, minReplicas, maxReplicas, targetUtilization, refreshPeriodInSeconds, idleSeconds } =
    autoScaler;
  const enabled = autoscaleEnabled ?? (minReplicas != null || maxReplicas != null ? true : undefined);
  const given = {
    enabled,
    minReplicas,
    maxReplicas,
    targetUtilization,
    refreshPeriodSeconds: refreshPeriodInSeconds,
    idleSeconds,
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value != null));
}

/** A host name alone, without `sslEnabled`, asks for nothing. */
function requestedCertificate({
  sslEnabled,
  sslCertificate,
  sslKey,
  cname,
}: CreateServiceBody): RequestedCertificate | undefined {
  if (!sslEnabled && !sslCertificate && !sslKey) return undefined;
  return {
    enabled: sslEnabled ?? true,
    certificate: sslCertificate ?? undefined,
    key: sslKey ?? undefined,
    cname: cname ?? undefined,
  };
}

/** The member of our own clients for the property that the genuine client sets. */
export function corsProperty(origins: readonly string[] | null | undefined): Readonly<Record<string, string>> {
  return origins === undefined ? {} : { [CORS_PROPERTY]: (origins ?? []).join(",") };
}

/** What is given back to every reader must not hold the password of somebody's registry. */
export function withoutPassword(request: EnvironmentImageRequest): EnvironmentImageRequest {
  const { environment } = request;
  const registry = environment?.docker?.baseImageRegistry;
  if (!registry) return request;
  const docker = { ...environment.docker, baseImageRegistry: { ...registry, password: null } };
  return { ...request, environment: { ...environment, docker } };
}

/** The image that an `environmentImageRequest` asks for (wire contract, section 13.1). */
export function imageRequest(request: EnvironmentImageRequest): NonNullable<RequestedSettings["imageRequest"]> {
  const { environment, driverProgram, assets, modelIds } = request;
  const { baseImage, baseDockerfile, baseImageRegistry, platform } = environment?.docker ?? {};
  const { reference, credentials } = readBase({
    image: baseImage,
    registry: {
      address: baseImageRegistry?.address,
      username: baseImageRegistry?.username,
      password: baseImageRegistry?.password,
    },
  });
  const python = environment?.python;
  const conda = python?.userManagedDependencies ? undefined : python?.condaDependencies;
  return {
    modelIds: modelIds ?? [],
    driverProgram: driverProgram ?? null,
    assets: (assets ?? []).map(({ id, url, mimeType, unpack }) => ({
      id,
      url,
      mimeType: mimeType ?? "application/octet-stream",
      unpack: unpack ?? false,
    })),
    ...(conda ? { condaFile: stringify(conda) } : {}),
    ...((reference !== undefined || baseDockerfile || platform?.architecture) && {
      targetRuntime: {
        runtimeType: "Python",
        targetArchitecture: platform?.architecture ?? ownArchitecture(),
        properties: {
          ...(reference !== undefined && { baseImage: reference }),
          ...(baseDockerfile && { dockerSteps: baseDockerfile }),
        },
      },
    }),
    ...(credentials !== undefined && { baseCredentials: credentials }),
    ...(environment?.environmentVariables ? { environmentVariables: environment.environmentVariables } : {}),
  };
}

export function bytes(gigabytes: number | null | undefined): number | undefined {
  return gigabytes == null ? undefined : Math.round(gigabytes * GIB);
}
