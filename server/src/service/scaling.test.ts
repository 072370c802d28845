import fc from "fast-check";
import { expect, it } from "vitest";
import { firstReplicas, wantedReplicas } from "./scaling.ts";
import type { Scaling } from "./service.ts";

const scaling: Scaling = {
  enabled: true,
  minReplicas: 1,
  maxReplicas: 10,
  targetUtilization: 70,
  refreshPeriodSeconds: 1,
  idleSeconds: 300,
};
const minute = (load: number) => Array.from({ length: 60 }, () => load);
const busy = (...averages: number[]) => ({ averages, idleMs: 0 });

it.each([
  [0.5, 1],
  [0.7, 1],
  [0.71, 2],
  [1.5, 3],
  [7, 10],
  [100, 10],
])("a load of %f needs %i replicas of one place each, at once", (load, replicas) => {
  expect(wantedReplicas(scaling, busy(0, load), 1, 1)).toBe(replicas);
});

it("counts the places of a replica", () => {
  expect(wantedReplicas(scaling, busy(7), 1, 4)).toBe(3);
});

it("averages over the refresh period before it adds", () => {
  const slow = { ...scaling, refreshPeriodSeconds: 4 };
  expect(wantedReplicas(slow, busy(0, 0, 0, 4), 1, 1)).toBe(2);
  expect(wantedReplicas(slow, busy(4, 4, 4, 4), 1, 1)).toBe(6);
});

it("removes only what no moment of the last minute needed, and nothing before a minute is known", () => {
  expect(wantedReplicas(scaling, busy(0, 0, 0), 5, 1)).toBe(5);
  expect(wantedReplicas(scaling, busy(...minute(0)), 5, 1)).toBe(1);
  expect(wantedReplicas(scaling, busy(...minute(0).with(3, 1.5)), 5, 1)).toBe(3);
});

it("goes to sleep when nobody has asked for long enough, and only if it may", () => {
  const sleepy = { ...scaling, minReplicas: 0 };
  expect(wantedReplicas(sleepy, { averages: [0], idleMs: 300_000 }, 2, 1)).toBe(0);
  expect(wantedReplicas(sleepy, { averages: minute(0), idleMs: 299_999 }, 2, 1)).toBe(1);
  expect(wantedReplicas(scaling, { averages: minute(0), idleMs: 999_999 }, 2, 1)).toBe(1);
});

it("leaves what sleeps to its next request, unless it must not sleep any more", () => {
  expect(wantedReplicas({ ...scaling, minReplicas: 0 }, busy(5), 0, 1)).toBe(0);
  expect(wantedReplicas({ ...scaling, minReplicas: 2 }, busy(), 0, 1)).toBe(2);
  expect(wantedReplicas({ ...scaling, minReplicas: 1, maxReplicas: 3 }, busy(5), 0, 1)).toBe(3);
});

it("comes back into its limits when they are changed", () => {
  expect(wantedReplicas({ ...scaling, maxReplicas: 3 }, busy(0), 8, 1)).toBe(3);
  expect(wantedReplicas({ ...scaling, minReplicas: 4 }, busy(0), 1, 1)).toBe(4);
});

it("is never outside of its limits, and is at rest where it has gone", () => {
  const settings = fc.record({
    min: fc.integer({ min: 0, max: 5 }),
    max: fc.integer({ min: 5, max: 20 }),
    places: fc.integer({ min: 1, max: 8 }),
    current: fc.integer({ min: 0, max: 30 }),
    averages: fc.array(fc.float({ min: 0, max: 100, noNaN: true }), { maxLength: 60 }),
    idleMs: fc.integer({ min: 0, max: 600_000 }),
  });
  fc.assert(
    fc.property(settings, ({ min, max, places, current, averages, idleMs }) => {
      const rule = { ...scaling, minReplicas: min, maxReplicas: max };
      const wanted = wantedReplicas(rule, { averages, idleMs }, current, places);
      expect(wanted).toBeGreaterThanOrEqual(min);
      expect(wanted).toBeLessThanOrEqual(max);
      expect(wantedReplicas(rule, { averages, idleMs }, wanted, places)).toBe(wanted);
    }),
  );
});

it("begins a new revision with what the old one has, within the limits", () => {
  expect(firstReplicas(scaling, 3, 5)).toBe(5);
  expect(firstReplicas({ ...scaling, minReplicas: 0 }, 3, 0)).toBe(1);
  expect(firstReplicas(scaling, 3, undefined)).toBe(1);
  expect(firstReplicas({ ...scaling, enabled: false }, 3, 5)).toBe(3);
});
