import type { ScorerConfig, ScorerState } from "@slipway/api";
import type { ReplicaObservation } from "../target.ts";

/** Where a scorer is reached, and what it must know. */
export type ScorerEnds = Pick<ScorerConfig, "framesSocket" | "httpSocket" | "nonce">;

/** What a scorer says of itself, in the contract's words. */
export function describeAnswer(
  id: string,
  state: ScorerState,
  { framesSocket, httpSocket, nonce }: ScorerEnds,
  restarts: number,
): ReplicaObservation {
  const common = {
    id,
    // A worker's restart is as much a restart to the reader as the scorer's.
    restarts: restarts + state.workers.reduce((sum, worker) => sum + worker.restarts, 0),
    memoryBytes: state.workers.reduce((sum, worker) => sum + worker.memoryBytes, 0),
    timings: state.timings,
    ...(state.cause && { cause: state.cause }),
  };
  switch (state.phase) {
    case "starting":
      return { ...common, state: "starting" };
    case "ready":
      return { ...common, state: "ready", framesSocket, nonce, httpSocket };
    case "failed":
      return { ...common, state: "failed" };
    case "draining":
      return { ...common, state: "stopped" };
  }
}

/** The scorer itself gives up at its start timeout and names the cause; the target only steps in when it does not. */
export function startDeadlineMs(config: Pick<ScorerConfig, "startTimeoutMs">): number {
  return config.startTimeoutMs + 5_000;
}
