import type { Cause } from "@slipway/api";
import type { ComputeType } from "../compute/index.ts";
import type { TargetKind } from "../target/target.ts";

export type ServiceState = "Transitioning" | "Healthy" | "Unhealthy" | "Failed";

/** Everything that makes a revision: another value is another revision, but for the number of replicas. */
export interface RevisionSettings {
  readonly imageId: string;
  readonly cpu: number;
  readonly memoryBytes: number;
  /** of what is asked for: the number to begin with; of a revision that serves: the number now, 0 while it sleeps */
  readonly replicas: number;
  readonly maxConcurrentRequests: number;
  readonly scoringTimeoutMs: number;
}

/** How many replicas a service has: as many as `desired.replicas` says, or as its load asks for. */
export interface Scaling {
  /** by load; otherwise the number stays as it was set */
  readonly enabled: boolean;
  /** 0: none when nobody asks; the next request wakes the service */
  readonly minReplicas: number;
  readonly maxReplicas: number;
  /** percent of the places for requests that should be taken */
  readonly targetUtilization: number;
  /** load is averaged over this time before it counts */
  readonly refreshPeriodSeconds: number;
  /** with `minReplicas` 0: so long without a request until the last replica goes */
  readonly idleSeconds: number;
}

/** Settings that need no new revision: the gateway takes them over as they are. */
export interface ServiceSettings {
  readonly authEnabled: boolean;
  readonly tokenAuthEnabled: boolean;
  readonly maxQueueWaitMs: number;
  readonly scaling: Scaling;
  readonly appInsightsEnabled: boolean;
  readonly dataCollection: { readonly storageEnabled: boolean; readonly eventHubEnabled: boolean };
}

/** One version of a service: image + settings, with its own replicas. */
export interface Revision {
  /** short id, names folders and sockets */
  readonly id: string;
  readonly serviceId: string;
  readonly number: number;
  readonly settings: RevisionSettings;
  /** target kind, recorded when it is made and never changed silently */
  readonly target: TargetKind;
  readonly state: "starting" | "serving" | "retired" | "failed";
  readonly cause: Cause | null;
  readonly createdAt: string;
  /** when its replicas were taken away; null while some may exist */
  readonly removedAt: string | null;
}

/** An image running on a compute under a name, with keys and a scoring address. */
export interface Service {
  readonly id: string;
  readonly workspaceId: string;
  readonly name: string;
  readonly description: string | null;
  readonly tags: Readonly<Record<string, string>>;
  readonly properties: Readonly<Record<string, string>>;
  readonly computeType: ComputeType;
  readonly computeName: string | null;
  readonly state: ServiceState;
  /** what ended the last attempt to deploy; stays until one succeeds, also while an older revision serves */
  readonly attemptError: Cause | null;
  /** why the serving revision does not answer now */
  readonly healthError: Cause | null;
  readonly settings: ServiceSettings;
  /** what was asked for last; what serves once no operation is open */
  readonly desired: RevisionSettings;
  /** the revision that gets traffic */
  readonly servingRevision: string | null;
  readonly operationId: string | null;
  /** wire fields that are only given back (dnsNameLabel, location, environmentImageRequest …) */
  readonly wireExtras: Readonly<Record<string, unknown>>;
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** Operations of one service run one after another; a new service of the same name does not wait for the old one's end. */
export function serviceQueue(serviceId: string): string {
  return `service:${serviceId}`;
}

/** What a person is told when asking why the service is not well. */
export function errorOf(service: Pick<Service, "healthError" | "attemptError">): Cause | null {
  return service.healthError ?? service.attemptError;
}
