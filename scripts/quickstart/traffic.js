// A steady stream of requests, to see whether any is lost.
import { setTimeout as pause } from "node:timers/promises";

const LANES = 4;
/** About 200 requests a second in all: as much as a busy service gets, and no race with it for the processor. */
const PAUSE_MS = 15;

/** @param {() => Promise<unknown>} ask */
export function keepAsking(ask) {
  let running = true;
  let answers = 0;
  let longestMs = 0;
  const failures = [];
  const lanes = Array.from({ length: LANES }, async () => {
    while (running) {
      const started = performance.now();
      try {
        await ask();
        answers += 1;
        longestMs = Math.max(longestMs, performance.now() - started);
      } catch (error) {
        failures.push(error);
      }
      await pause(PAUSE_MS);
    }
  });
  return {
    async stop() {
      running = false;
      await Promise.all(lanes);
      return { answers, failures, longestMs };
    },
  };
}
