import type { Cause, ScorerState } from "@slipway/api";
import type { AnswerSink, ScoringRequest } from "../exchange.ts";
import type { ModelCall } from "../protocol/model-call.ts";
import type { ModelDescription } from "../protocol/open-inference.ts";

export interface RuntimeStatus {
  readonly phase: "starting" | "ready" | "failed";
  /** why `failed`; otherwise the cause of the last worker's death, if any */
  readonly cause?: Cause;
  readonly workers: ScorerState["workers"];
  readonly timings: ScorerState["timings"];
  /** a body that the model understands, if it told one */
  readonly sampleInput?: unknown;
  readonly batches?: NonNullable<ScorerState["batches"]>;
}

/** What runs a model: Python workers, or ONNX Runtime in threads. */
export interface Runtime {
  start(): void;
  status(): RuntimeStatus;
  /**
   * Answers sooner or later, exactly once; failures as `{"error": …}` in whatever protocol the call is. The function returned tells
   * that nobody waits any more.
   */
  submit(request: ScoringRequest, call: ModelCall, sink: AnswerSink): () => void;
  /** The models and their tensors. None before it is ready. */
  models(): readonly ModelDescription[];
  /** OpenAPI 2.0 of the scoring address. */
  swagger(): unknown;
  /** Ends the workers, at the latest after some seconds by force. */
  stop(): Promise<void>;
}

/** More than this waiting in one replica is no queue any more but a leak; the gateway's own limits are far below. */
export const MAX_WAITING = 2_000;
