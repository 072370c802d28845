import type { CreateServiceBody, EnvironmentImageRequest } from "@slipway/api";
import { stringify } from "yaml";
import { GIB } from "./service-defaults.ts";
import { certificateUnsupported, settingUnsupported } from "./service-errors.ts";
import type { CreateServiceRequest, RequestedSettings } from "./service-request.ts";

/** Members of a create that reads give back as they came. `sslKey` is none of them: a secret does not belong there. */
const givenBack = ["cname", "dnsNameLabel", "location"] as const;

/** @throws {AppError} CertificateUnsupported, SettingUnsupported */
export function createRequest(body: CreateServiceBody): CreateServiceRequest {
  for (const member of ["sslCertificate", "sslKey"] as const) if (body[member]) throw certificateUnsupported(member);
  const { containerResourceRequirements: resources, dataCollection, keys, environmentImageRequest } = body;
  return {
    name: body.name,
    computeType: body.computeType,
    computeName: body.computeName ?? undefined,
    overwrite: body.overwrite ?? false,
    description: body.description ?? null,
    tags: body.kvTags ?? {},
    properties: body.properties ?? {},
    imageId: body.imageId ?? undefined,
    imageRequest: environmentImageRequest ? imageRequest(environmentImageRequest) : undefined,
    cpu: resources?.cpu ?? undefined,
    memoryBytes: bytes(resources?.memoryInGB),
    replicas: body.numReplicas ?? undefined,
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
  if (environment?.docker?.baseDockerfile) {
    throw settingUnsupported(
      "environment.docker.baseDockerfile",
      "images are assembled without a Docker engine. Put the packages into the conda dependencies.",
    );
  }
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
    ...(environment?.environmentVariables ? { environmentVariables: environment.environmentVariables } : {}),
  };
}

export function bytes(gigabytes: number | null | undefined): number | undefined {
  return gigabytes == null ? undefined : Math.round(gigabytes * GIB);
}
