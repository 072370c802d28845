import { isDeepStrictEqual } from "node:util";
import type { ComputeType } from "../compute/index.ts";
import type { ImageRequest } from "../image/index.ts";
import type { RevisionSettings, Scaling, Service, ServiceSettings } from "./service.ts";
import type { RequestedCertificate } from "./service-certificate.ts";
import { defaultsOf } from "./service-defaults.ts";

/** What a create or an update may say about how a service runs. What is undefined is left as it is, or takes v1's default. */
export interface RequestedSettings {
  readonly imageId?: string | undefined;
  /** an image to be made first, named like the service */
  readonly imageRequest?: Omit<ImageRequest, "name"> | undefined;
  readonly cpu?: number | undefined;
  readonly memoryBytes?: number | undefined;
  readonly replicas?: number | undefined;
  /** members that are left out stay as they are */
  readonly scaling?: Partial<Scaling> | undefined;
  readonly maxConcurrentRequests?: number | undefined;
  readonly scoringTimeoutMs?: number | undefined;
  readonly maxQueueWaitMs?: number | undefined;
  readonly authEnabled?: boolean | undefined;
  readonly tokenAuthEnabled?: boolean | undefined;
  readonly appInsightsEnabled?: boolean | undefined;
  readonly storageEnabled?: boolean | undefined;
  readonly eventHubEnabled?: boolean | undefined;
  readonly description?: string | null | undefined;
  readonly tags?: Readonly<Record<string, string>> | undefined;
  readonly properties?: Readonly<Record<string, string>> | undefined;
  readonly certificate?: RequestedCertificate | undefined;
  readonly wireExtras?: Readonly<Record<string, unknown>> | undefined;
}

export interface CreateServiceRequest extends RequestedSettings {
  readonly name: string;
  /** as the request has it; checked by the service */
  readonly computeType: string;
  readonly computeName?: string | undefined;
  readonly overwrite: boolean;
  readonly primaryKey?: string | undefined;
  readonly secondaryKey?: string | undefined;
}

/** An update. `properties` are added to those that are there, everything else replaces. */
export type ServiceChanges = RequestedSettings;

export function revisionSettings(
  type: ComputeType,
  imageId: string,
  request: RequestedSettings,
  before?: RevisionSettings,
): RevisionSettings {
  const defaults = defaultsOf(type);
  const cpu = request.cpu ?? before?.cpu ?? defaults.cpu;
  // Concurrency follows the cores unless somebody chose it.
  const chosen = before !== undefined && before.maxConcurrentRequests !== defaults.maxConcurrentRequests(before.cpu);
  return {
    imageId,
    cpu,
    memoryBytes: request.memoryBytes ?? before?.memoryBytes ?? defaults.memoryBytes,
    replicas: request.replicas ?? before?.replicas ?? defaults.replicas,
    maxConcurrentRequests:
      request.maxConcurrentRequests ?? (chosen ? before.maxConcurrentRequests : defaults.maxConcurrentRequests(cpu)),
    scoringTimeoutMs: request.scoringTimeoutMs ?? before?.scoringTimeoutMs ?? defaults.scoringTimeoutMs,
  };
}

/** Key and token authentication exclude each other: switching one on switches the other off. */
export function serviceSettings(
  type: ComputeType,
  request: RequestedSettings,
  before?: ServiceSettings,
): ServiceSettings {
  const defaults = defaultsOf(type);
  const tokens = request.tokenAuthEnabled ?? (request.authEnabled ? false : (before?.tokenAuthEnabled ?? false));
  const keys = request.authEnabled ?? (tokens ? false : (before?.authEnabled ?? defaults.keyAuth));
  return {
    authEnabled: keys,
    tokenAuthEnabled: tokens,
    scaling: { ...(before?.scaling ?? defaults.scaling), ...request.scaling },
    maxQueueWaitMs: request.maxQueueWaitMs ?? before?.maxQueueWaitMs ?? defaults.maxQueueWaitMs,
    appInsightsEnabled: request.appInsightsEnabled ?? before?.appInsightsEnabled ?? false,
    dataCollection: {
      storageEnabled: request.storageEnabled ?? before?.dataCollection.storageEnabled ?? false,
      eventHubEnabled: request.eventHubEnabled ?? before?.dataCollection.eventHubEnabled ?? false,
    },
  };
}

/** The members that only describe, as an update leaves them. */
export function describedBy(service: Service, changes: ServiceChanges) {
  return {
    description: changes.description === undefined ? service.description : changes.description,
    tags: changes.tags ?? service.tags,
    properties: { ...service.properties, ...changes.properties },
    wireExtras: { ...service.wireExtras, ...changes.wireExtras },
  };
}

/** True when both make the same revision: the number of replicas is no part of one. */
export function sameRevision(one: RevisionSettings, other: RevisionSettings): boolean {
  return isDeepStrictEqual({ ...one, replicas: 0 }, { ...other, replicas: 0 });
}

/** True when the request speaks of something that makes a revision, even if it says what is there already. */
export function asksForRevision(changes: ServiceChanges): boolean {
  const { imageId, imageRequest, cpu, memoryBytes, maxConcurrentRequests, scoringTimeoutMs } = changes;
  const members = [imageId, imageRequest, cpu, memoryBytes, maxConcurrentRequests, scoringTimeoutMs];
  return members.some((member) => member !== undefined);
}
