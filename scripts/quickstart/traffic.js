// Requests without a pause, to see whether any is lost.
const LANES = 4;

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
