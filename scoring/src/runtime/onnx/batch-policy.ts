import { BATCH_RUN_MS, type ModelCosts } from "./warm-up.ts";

/** Of a model whose requests are not put together, as many are handed over at once as take this long: one message for all. */
const AHEAD_MS = 4;
const MAX_AHEAD = 32;
/** Timers are no finer than this. */
const TIMER_MS = 1;
/** Weight of one arrival in the moving average. */
const ARRIVAL_WEIGHT = 0.1;

/** Decides how many of the waiting requests go together, and whether to wait for more. All times in milliseconds. */
export interface BatchPolicy {
  arrived(now: number): void;
  /** at most so many in one go */
  limit(costs: ModelCosts): number;
  /** 0: now. Else the time to wait for more, counted from now. */
  wait(costs: ModelCosts, waiting: number, oldestArrival: number, now: number): number;
}

/**
 * What waits while a run is going on goes together in the next one: that costs nobody anything. Waiting on purpose pays only where
 * a run has a high cost of its own and the next request can be expected sooner than half of that; then the wait is bounded by it.
 */
export function batchPolicy(): BatchPolicy {
  let lastArrival: number | undefined;
  let betweenMs = Number.POSITIVE_INFINITY;
  const limit = ({ singleMs, maxRows }: ModelCosts) =>
    maxRows > 1 ? maxRows : Math.max(1, Math.min(MAX_AHEAD, Math.floor(AHEAD_MS / (singleMs ?? AHEAD_MS))));
  return {
    arrived(now) {
      if (lastArrival !== undefined) {
        // A pause says nothing about the rate before and after it beyond a run's length.
        const gap = Math.min(now - lastArrival, BATCH_RUN_MS);
        betweenMs = betweenMs === Number.POSITIVE_INFINITY ? gap : betweenMs + (gap - betweenMs) * ARRIVAL_WEIGHT;
      }
      lastArrival = now;
    },
    limit,
    wait(costs, waiting, oldestArrival, now) {
      const bound = costs.fixedMs / 2;
      if (costs.maxRows <= 1 || bound < TIMER_MS || waiting >= limit(costs) || betweenMs > bound) return 0;
      const left = oldestArrival + bound - now;
      return left < TIMER_MS ? 0 : left;
    },
  };
}
