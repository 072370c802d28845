/** What must be remembered of a replica's last start. */
export interface LastStart {
  readonly startedAt: string;
  readonly readyAt?: string | undefined;
  /** starts after one that was not asked to end */
  readonly restarts: number;
  /** restarts in a row without a good while between them */
  readonly shortRuns: number;
  /** asked to end */
  readonly stopped: boolean;
}

export interface RestartCount {
  readonly restarts: number;
  readonly shortRuns: number;
}

const FIRST_DELAY_MS = 1_000;
/** A minute between tries costs little, and a service whose database comes back after an hour should not wait much longer. */
const MAX_DELAY_MS = 60_000;
/** What was ready this long does not crash in a loop. */
const LONG_RUN_MS = 60_000;

/**
 * The first restart comes at once, each further one in a row twice as long after the last start as the one before.
 *
 * @param blameless the replica was lost with what carries it, for instance the machine
 */
export function restartAfter(
  last: LastStart | undefined,
  nowMs: number,
  blameless = false,
): { count: RestartCount; delayMs: number } {
  if (last === undefined) return { count: { restarts: 0, shortRuns: 0 }, delayMs: 0 };
  if (last.stopped || blameless) return { count: { restarts: last.restarts, shortRuns: 0 }, delayMs: 0 };
  const ranLong = last.readyAt !== undefined && nowMs - Date.parse(last.readyAt) >= LONG_RUN_MS;
  const shortRuns = ranLong ? 1 : last.shortRuns + 1;
  const distanceMs = shortRuns < 2 ? 0 : Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (shortRuns - 2));
  // A clock that was set back must not make anybody wait longer than the distance.
  const delayMs = Math.min(distanceMs, Math.max(0, Date.parse(last.startedAt) + distanceMs - nowMs));
  return { count: { restarts: last.restarts + 1, shortRuns }, delayMs };
}
