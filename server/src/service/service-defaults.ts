import type { ComputeType } from "../compute/index.ts";
import type { Scaling } from "./service.ts";

export const GIB = 1024 ** 3;

/** v1's autoscaler, as it was unless told otherwise; container instances had none. */
const SCALING: Scaling = {
  enabled: true,
  minReplicas: 1,
  maxReplicas: 10,
  targetUtilization: 70,
  refreshPeriodSeconds: 1,
  /** not in v1, which never went to zero: long enough for a person who tries a service by hand */
  idleSeconds: 300,
};
export const NO_SCALING: Scaling = { ...SCALING, enabled: false };

/** v1's defaults for what a request leaves out (wire contract, section 9.1). */
export function defaultsOf(type: ComputeType) {
  const containerInstance = type === "ACI";
  return {
    cpu: 0.1,
    memoryBytes: 0.5 * GIB,
    replicas: 1,
    scoringTimeoutMs: 60_000,
    /** v1 had no queue in front of a container instance; a minute lets a burst through and still bounds the wait */
    maxQueueWaitMs: containerInstance ? 60_000 : 500,
    keyAuth: !containerInstance,
    scaling: containerInstance ? NO_SCALING : SCALING,
    maxConcurrentRequests: (cpu: number) => (containerInstance ? Math.ceil(cpu) : 1),
  } as const;
}

/**
 * How many requests the gateway hands to a replica for each one that it works on. A worker with the next requests at hand answers several in one go, which doubles
 * its rate for small models. v1 let a container instance take what came; for the others its limit is what the name says: requests in work.
 */
export function requestsAtHand(type: ComputeType): number {
  return type === "ACI" ? 16 : 1;
}

/** A model of several gigabytes on a slow disk takes minutes to load; a script that hangs should not hold the deploy for much longer. */
export const START_TIMEOUT_MS = 300_000;

/** What waits for a service to wake waits for its start, which may load a large model, but not for a script that hangs. */
export const WAKE_TIMEOUT_MS = 120_000;

/** Larger inputs belong into a file that the request names. */
export const MAX_BODY_BYTES = 100 * 1024 * 1024;

/** A request that is longer in work than this when its revision is replaced is ended; waiting longer would hold up every update. */
export const MAX_DRAIN_MS = 60_000;

/** Long enough that renewing costs nothing, short enough that a leaked token is soon worthless. */
export const TOKEN_SECONDS = 3_600;
