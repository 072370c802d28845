import { setTimeout as sleep } from "node:timers/promises";

/** Waits, unless the signal says otherwise: then it throws the signal's own reason, not a general "aborted". */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  try {
    await sleep(ms, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}
