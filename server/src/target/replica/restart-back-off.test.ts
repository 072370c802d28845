import { expect, test } from "vitest";
import { type LastStart, restartAfter } from "./restart-back-off.ts";

const START = Date.parse("2026-11-22T10:00:00Z");

function after(changes: Partial<LastStart>): LastStart {
  return { startedAt: new Date(START).toISOString(), restarts: 0, shortRuns: 0, stopped: false, ...changes };
}

test("what was never there starts at once and counts as no restart", () => {
  expect(restartAfter(undefined, START)).toEqual({ count: { restarts: 0, shortRuns: 0 }, delayMs: 0 });
});

test("a crash loop slows down to one try a minute", () => {
  const delays: number[] = [];
  let count = { restarts: 0, shortRuns: 0 };
  for (let crash = 0; crash < 9; crash++) {
    const restart = restartAfter(after(count), START);
    delays.push(restart.delayMs / 1000);
    count = restart.count;
  }
  expect(delays).toEqual([0, 1, 2, 4, 8, 16, 32, 60, 60]);
  expect(count.restarts).toBe(9);
});

test("time since the last start is not waited again", () => {
  expect(restartAfter(after({ shortRuns: 3 }), START + 3_000).delayMs).toBe(1_000);
  expect(restartAfter(after({ shortRuns: 3 }), START + 30_000).delayMs).toBe(0);
});

test("a clock that was set back does not lengthen the wait", () => {
  expect(restartAfter(after({ shortRuns: 3 }), START - 3_600_000).delayMs).toBe(4_000);
});

test("a long run ends a crash loop", () => {
  const readyAt = new Date(START).toISOString();
  const restart = restartAfter(after({ restarts: 7, shortRuns: 7, readyAt }), START + 61_000);
  expect(restart).toEqual({ count: { restarts: 8, shortRuns: 1 }, delayMs: 0 });
});

test.each([
  ["asked to stop", after({ restarts: 2, shortRuns: 2, stopped: true }), false],
  ["lost with the machine", after({ restarts: 2, shortRuns: 2 }), true],
])("%s, it starts at once and counts as no restart", (_, last, blameless) => {
  expect(restartAfter(last, START, blameless)).toEqual({ count: { restarts: 2, shortRuns: 0 }, delayMs: 0 });
});
