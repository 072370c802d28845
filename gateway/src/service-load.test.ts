import fc from "fast-check";
import { expect, test } from "vitest";
import { ServiceLoad } from "./service-load.ts";

test("averages are the area under the number of requests", () => {
  const load = new ServiceLoad(0);
  load.change(1, 0);
  load.change(1, 500);
  load.tick(1000);
  load.change(-1, 1250);
  load.change(-1, 1500);
  load.tick(2000);
  load.tick(3000);

  expect(load.averages).toEqual([1.5, 0.75, 0]);
  expect(load.level).toBe(0);
});

test("a minute is remembered, and no more", () => {
  const load = new ServiceLoad(0);
  for (let second = 1; second <= 100; second += 1) load.tick(second * 1000);

  expect(load.averages).toHaveLength(60);
});

test("idle is the time since the last request, none while there is one", () => {
  const load = new ServiceLoad(1000);
  expect(load.idleMs(1500)).toBe(500);
  load.change(1, 2000);
  expect(load.idleMs(9000)).toBe(0);
  load.change(-1, 9000);
  expect(load.idleMs(9250)).toBe(250);
});

test("whatever comes and goes, no time is counted twice or lost", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 900 }))), (stays) => {
      const load = new ServiceLoad(0);
      const events = stays
        .flatMap(([begin, length]) => [
          { at: begin, delta: 1 as const },
          { at: begin + length, delta: -1 as const },
        ])
        .sort((a, b) => a.at - b.at);
      for (const { at, delta } of events) load.change(delta, at);
      load.tick(1000 + 100);
      const expected = stays.reduce((sum, [, length]) => sum + length, 0) / 1100;
      expect(load.averages[0]).toBeCloseTo(expected, 6);
    }),
  );
});
