import type { ScorerConfig } from "@slipway/api";
import type { Deployment } from "../target.ts";

/** What a scorer must know of its deployment, wherever it runs. */
export function scorerLimits(deployment: Deployment) {
  return {
    service: deployment.service,
    revision: deployment.revision,
    workers: deployment.maxConcurrentRequests > 1 ? deployment.maxConcurrentRequests : Math.ceil(deployment.cpu),
    threads: Math.max(1, Math.floor(deployment.cpu)),
    memoryLimitBytes: deployment.memoryBytes,
    startTimeoutMs: deployment.startTimeoutMs,
    scoringTimeoutMs: deployment.scoringTimeoutMs,
    maxBodyBytes: deployment.maxBodyBytes,
  } satisfies Partial<ScorerConfig>;
}
