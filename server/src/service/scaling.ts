import type { Scaling } from "./service.ts";

export interface Load {
  /** requests at once, waiting or in work: averages of a second each, oldest first, of the last minute at most */
  readonly averages: readonly number[];
  readonly idleMs: number;
}

/** v1 removed replicas about a minute after they were not needed any more: starting one again costs more than keeping it. */
const KEPT_SECONDS = 60;

/**
 * v1's rule: enough replicas for the share of busy places to be at most the target utilisation. More come at once; fewer only
 * when no moment of the last minute needed them.
 *
 * @param places requests that one replica works on at once
 */
export function wantedReplicas(scaling: Scaling, load: Load, current: number, places: number): number {
  const { minReplicas, maxReplicas, targetUtilization, idleSeconds } = scaling;
  const floor = Math.max(1, minReplicas);
  const clamp = (replicas: number) => Math.min(maxReplicas, Math.max(floor, replicas));
  const needed = (requests: number) => clamp(Math.ceil(requests / (places * (targetUtilization / 100))));
  // Asleep, it is woken by its next request, not from here.
  if (current === 0 && minReplicas === 0) return 0;
  if (minReplicas === 0 && load.idleMs >= idleSeconds * 1000) return 0;
  const smoothed = movingAverages(load.averages, scaling.refreshPeriodSeconds);
  const now = needed(smoothed.at(-1) ?? 0);
  if (now >= current) return now;
  if (load.averages.length < KEPT_SECONDS) return clamp(current);
  return Math.min(clamp(current), needed(Math.max(...smoothed)));
}

/** The number that a new revision begins with. */
export function firstReplicas(scaling: Scaling, fixed: number, current: number | undefined): number {
  if (!scaling.enabled) return fixed;
  return Math.min(scaling.maxReplicas, Math.max(1, scaling.minReplicas, current ?? 1));
}

function movingAverages(averages: readonly number[], seconds: number): number[] {
  return averages.map((_, end) => {
    const period = averages.slice(Math.max(0, end + 1 - seconds), end + 1);
    return period.reduce((sum, average) => sum + average, 0) / period.length;
  });
}
