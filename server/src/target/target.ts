import type { Cause } from "@slipway/api";
import type { TSchema } from "typebox";

export type TargetKind = "process" | "container" | "kubernetes" | "edge" | "accelerator";

/** What runs: the unpacked parts of one image on this machine. Absolute paths; never changed once made. */
export interface ImageBundle {
  readonly imageId: string;
  readonly imageDigest: string;
  /** `NAME:VERSION` in the registry, for targets that pull */
  readonly imageLocation: string;
  /** where the built-in registry keeps it */
  readonly repository: { readonly workspaceId: string; readonly name: string };
  /** as OCI names it: `amd64`, `arm64` */
  readonly architecture: string;
  /** what the image stands on; null: it has no operating system, so no container engine can run it */
  readonly base: string | null;
  readonly runtime: "python" | "onnx";
  /** folder with the driver, the code and `azureml-models/` (python), or the models only (onnx) */
  readonly appRoot: string;
  /** driver, relative to appRoot; python only */
  readonly entryScript?: string;
  /** the environment's relocatable tree (`bin/python` in it); python only */
  readonly environmentRoot?: string;
  readonly environmentVariables: Readonly<Record<string, string>>;
  readonly models: readonly {
    readonly id: string;
    readonly name: string;
    readonly version: number;
    readonly folder: string;
  }[];
}

/** One revision that should run: what, with which limits. Immutable but for the number of replicas: another setting is another revision. */
export interface Deployment {
  /** id of the revision, for folders and names: short, letters and digits */
  readonly id: string;
  readonly workspace: string;
  readonly service: string;
  readonly revision: number;
  readonly bundle: ImageBundle;
  /** 0: none should run; where the target can sleep, one is prepared for whoever starts it */
  readonly replicas: number;
  readonly cpu: number;
  readonly memoryBytes: number;
  readonly maxConcurrentRequests: number;
  readonly scoringTimeoutMs: number;
  readonly startTimeoutMs: number;
  readonly maxBodyBytes: number;
}

export interface ReplicaObservation {
  readonly id: string;
  /** `failed`: it runs, but cannot serve; `stopped`: it does not run, with the cause unless it was asked to stop */
  readonly state: "starting" | "ready" | "failed" | "stopped";
  /** where the gateway finds it; only when ready */
  readonly framesSocket?: string;
  readonly nonce?: string;
  /** answers `GET /_slipway/state`; only when ready, and only where the gateway can reach it */
  readonly httpSocket?: string;
  readonly cause?: Cause;
  readonly restarts: number;
  readonly memoryBytes: number;
  /** milliseconds by phase: interpreter, import, init */
  readonly timings: Readonly<Record<string, number>>;
}

/** A replica that does not run and needs nobody but the gateway to be started. */
export interface Standby {
  readonly id: string;
  readonly framesSocket: string;
  readonly nonce: string;
  readonly httpSocket?: string;
  /** `StartFile` of `route-snapshot.ts` */
  readonly startFile: string;
}

/**
 * What is, as the target sees it now. `absent`: nothing of this deployment exists; `asleep`: no replica is wanted and none runs,
 * `standby` tells how one is started; `degraded`: some replicas are ready, others not; `failed`: none is ready, and not all are
 * starting.
 */
export interface Observation {
  readonly state: "absent" | "asleep" | "starting" | "ready" | "degraded" | "failed";
  readonly replicas: readonly ReplicaObservation[];
  /** For deployments of no replicas. While it was started all the same, `replicas` has it, too. */
  readonly standby?: Standby;
  readonly cause?: Cause;
  /** how limits and isolation are enforced here, in words */
  readonly enforcement: string;
}

export interface RunContext {
  readonly signal: AbortSignal;
  /** tells a person what happens: "Starting replica 1 of 2." */
  say(text: string): void;
}

export interface Capabilities {
  /** `apply` with another number of replicas starts and stops the difference */
  readonly autoscale: boolean;
  /** no replica at all is possible: `standby` */
  readonly sleep: boolean;
  readonly tokenAuth: boolean;
  readonly gpu: boolean;
}

export type Check =
  | { readonly ok: true }
  | { readonly ok: false; readonly reason: string; readonly nextAction: string };

/**
 * A way of running images. Everything is idempotent: any call may come again after a crash, and `remove` of what is gone
 * succeeds. `target-conformance.ts` is the judge; it runs on the real engine of each target.
 */
export interface Target {
  readonly kind: TargetKind;
  /** the target owns the schema of its options */
  readonly options: TSchema;
  readonly capabilities: Capabilities;
  /** Can this machine do it? If not: the reason and what to do. */
  check(): Promise<Check>;
  /** How much is free for one more deployment. */
  capacity(): Promise<{ readonly cpu: number; readonly memoryBytes: number }>;
  /** Looks; changes nothing. */
  observe(deployment: Deployment): Promise<Observation>;
  /**
   * Brings up all replicas and returns when each is ready or certain not to be: `ready`, else `degraded` or `failed` with the
   * cause. They get no traffic by this. What runs already is adopted, not started again. A replica that fails is not tried
   * again within one call; the next call does so, later the more often it failed (`restarts` counts). Replicas beyond the number
   * that is wanted are stopped, after the requests that they have.
   *
   * @throws the signal's reason when the run is cancelled; what was started stays and is adopted by the next call
   */
  apply(deployment: Deployment, run: RunContext): Promise<Observation>;
  /** Stops every replica and forgets it, logs kept. Already gone is success. */
  remove(deployment: Pick<Deployment, "id">, run: RunContext): Promise<void>;
  /** The newest lines of all replicas, oldest first; also after a crash, while starting and after `remove`. */
  logs(deployment: Pick<Deployment, "id">, options: { readonly tail: number }): Promise<string>;
}
