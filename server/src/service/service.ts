import type { Cause } from "@slipway/api";

/** What the wire's compute type says; the target follows from it by one table (`compute/`). */
export type ComputeType = "ACI" | "AKS" | "IOT" | "FPGA";

export type ServiceState = "Transitioning" | "Healthy" | "Unhealthy" | "Failed";

/** Everything that makes a revision: another value is another revision. */
export interface RevisionSettings {
  readonly imageId: string;
  readonly cpu: number;
  readonly memoryBytes: number;
  readonly replicas: number;
  readonly maxConcurrentRequests: number;
  readonly scoringTimeoutMs: number;
}

/** Settings that need no new revision: the gateway takes them over as they are. */
export interface ServiceSettings {
  readonly authEnabled: boolean;
  readonly tokenAuthEnabled: boolean;
  readonly maxQueueWaitMs: number;
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
  readonly target: string;
  readonly state: "starting" | "serving" | "retired" | "failed";
  readonly cause: Cause | null;
  readonly createdAt: string;
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
  /** describes the last failed attempt, also while an older revision serves */
  readonly error: Cause | null;
  readonly settings: ServiceSettings;
  /** the revision that gets traffic */
  readonly servingRevision: string | null;
  readonly operationId: string | null;
  /** wire fields that are only given back (dnsNameLabel, location, environmentImageRequest …) */
  readonly wireExtras: Readonly<Record<string, unknown>>;
  readonly createdAt: string;
  readonly updatedAt: string;
}
