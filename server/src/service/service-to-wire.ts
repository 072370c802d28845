import type { Cause, WireService } from "@slipway/api";
import { errorOf, type Scaling } from "./service.ts";
import { GIB } from "./service-defaults.ts";
import type { ServiceView } from "./service-service.ts";

/** The image as the image room shows it, with `modelDetails`. */
export type ImageDetails = Readonly<Record<string, unknown>> & { readonly modelDetails?: unknown };

/** A service as reads answer it (wire contract, section 9.2). `details` comes with `expand=true` only. */
export function serviceToWire(view: ServiceView, details: ImageDetails | undefined): WireService {
  const { service, settings, image, scoringUri, certificate } = view;
  const { environmentImageRequest, ...extras } = service.wireExtras;
  return {
    name: service.name,
    description: service.description,
    kvTags: { ...service.tags },
    properties: {
      ...service.properties,
      ...(certificate && { "slipway.certificateExpires": certificate.expiresAt }),
    },
    operationId: service.operationId,
    state: service.state,
    createdTime: service.createdAt,
    updatedTime: service.updatedAt,
    error: wireError(errorOf(service)),
    computeType: service.computeType,
    deploymentType: "HttpRealtimeEndpoint",
    createdBy: { userName: "slipway" },
    imageId: settings.imageId,
    imageDigest: image?.digest ?? null,
    scoringUri,
    ...computeMembers(view),
    ...extras,
    // Absent rather than null: the client dereferences what is there (section 9.2).
    ...(environmentImageRequest == null
      ? details && { imageDetails: details }
      : { environmentImageRequest, models: details?.modelDetails ?? [] }),
  };
}

function computeMembers({ service, settings, scoringUri, certificate }: ServiceView): Record<string, unknown> {
  const { authEnabled, tokenAuthEnabled, appInsightsEnabled, dataCollection, maxQueueWaitMs, scaling } =
    service.settings;
  const resources = { cpu: settings.cpu, memoryInGB: settings.memoryBytes / GIB };
  switch (service.computeType) {
    case "ACI": {
      const { hostname } = new URL(scoringUri);
      return {
        appInsightsEnabled,
        authEnabled,
        containerResourceRequirements: resources,
        cname: certificate?.cname ?? null,
        location: null,
        publicIp: hostname,
        publicFqdn: hostname,
        sslEnabled: certificate !== undefined,
        sslCertificate: certificate?.certificate ?? null,
        sslKey: null,
        encryptionProperties: null,
        vnetConfiguration: null,
        // v1's container instances were one replica each, without these members.
        ...(scaling.enabled || settings.replicas !== 1
          ? { autoScaler: wireScaling(scaling), numReplicas: settings.replicas }
          : {}),
      };
    }
    case "AKS":
      return {
        appInsightsEnabled,
        authEnabled,
        aadAuthEnabled: tokenAuthEnabled,
        computeName: service.computeName,
        autoScaler: wireScaling(scaling),
        containerResourceRequirements: { ...resources, cpuLimit: null, memoryInGBLimit: null, gpu: null },
        dataCollection,
        maxConcurrentRequestsPerContainer: settings.maxConcurrentRequests,
        maxQueueWaitMs,
        numReplicas: settings.replicas,
        scoringTimeoutMs: settings.scoringTimeoutMs,
        livenessProbeRequirements: null,
      };
    case "IOT":
    case "FPGA":
      return { computeName: service.computeName };
  }
}

function wireScaling(scaling: Scaling) {
  return {
    autoscaleEnabled: scaling.enabled,
    minReplicas: scaling.minReplicas,
    maxReplicas: scaling.maxReplicas,
    targetUtilization: scaling.targetUtilization,
    refreshPeriodInSeconds: scaling.refreshPeriodSeconds,
    idleSeconds: scaling.idleSeconds,
  };
}

function wireError(cause: Cause | null): WireService["error"] {
  if (cause === null) return null;
  const { code, message, nextAction } = cause;
  const details = [{ code, message }];
  if (nextAction !== undefined) details.push({ code: "NextAction", message: nextAction });
  return { code, statusCode: 400, message: [message, nextAction].filter(Boolean).join(" "), details };
}
