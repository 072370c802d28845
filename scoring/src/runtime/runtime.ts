import type { Cause, ScorerState } from "@slipway/api";
import type { RequestHandler } from "../exchange.ts";

export interface RuntimeStatus {
  readonly phase: "starting" | "ready" | "failed";
  /** why `failed`; otherwise the cause of the last worker's death, if any */
  readonly cause?: Cause;
  readonly workers: ScorerState["workers"];
  readonly timings: ScorerState["timings"];
  /** a body that the model understands, if it told one */
  readonly sampleInput?: unknown;
}

/** What runs a model: Python workers, or ONNX Runtime in threads. */
export interface Runtime {
  start(): void;
  status(): RuntimeStatus;
  /** Answers sooner or later, exactly once. */
  readonly submit: RequestHandler;
  /** OpenAPI 2.0 of the scoring address. */
  swagger(): unknown;
  /** Ends the workers, at the latest after some seconds by force. */
  stop(): Promise<void>;
}

/** More than this waiting in one replica is no queue any more but a leak; the gateway's own limits are far below. */
export const MAX_WAITING = 2_000;
