import type { ReplicaLook } from "./look-at-replica.ts";
import type { RestartCount } from "./start-replica.ts";

const FIRST_DELAY_MS = 1_000;
/** A minute between tries costs little, and a service whose database comes back after an hour should not wait much longer. */
const MAX_DELAY_MS = 60_000;
/** What was ready this long does not crash in a loop. */
const LONG_RUN_MS = 60_000;

/** The first restart comes at once, each further one in a row twice as long after the last start as the one before. */
export function restartAfter(look: ReplicaLook, nowMs: number): { count: RestartCount; delayMs: number } {
  const record = look.kind === "absent" ? undefined : look.record;
  if (record === undefined) return { count: { restarts: 0, shortRuns: 0 }, delayMs: 0 };
  if (record.stopped || (look.kind === "gone" && look.cause?.code === "MachineRestarted")) {
    return { count: { restarts: record.restarts, shortRuns: 0 }, delayMs: 0 };
  }
  const ranLong = record.readyAt !== undefined && nowMs - Date.parse(record.readyAt) >= LONG_RUN_MS;
  const shortRuns = ranLong ? 1 : record.shortRuns + 1;
  const distanceMs = shortRuns < 2 ? 0 : Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (shortRuns - 2));
  // A clock that was set back must not make anybody wait longer than the distance.
  const delayMs = Math.min(distanceMs, Math.max(0, Date.parse(record.startedAt) + distanceMs - nowMs));
  return { count: { restarts: record.restarts + 1, shortRuns }, delayMs };
}
