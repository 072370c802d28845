const FIRST_MS = 100;
const LONGEST_MS = 10_000;
/** Who worked this long is healthy: its next death is a new story. */
const HEALTHY_MS = 60_000;

export interface RestartDelay {
  /** To be asked after each death: how long to wait before the next start. `readyAt`: when it became ready, if it did. */
  next(now: number, readyAt: number | undefined): number;
}

export function restartDelay(): RestartDelay {
  let delayMs = FIRST_MS;
  return {
    next(now, readyAt) {
      if (readyAt !== undefined && now - readyAt >= HEALTHY_MS) delayMs = FIRST_MS;
      const delay = delayMs;
      delayMs = Math.min(delayMs * 2, LONGEST_MS);
      return delay;
    },
  };
}
