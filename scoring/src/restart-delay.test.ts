import { expect, it } from "vitest";
import { restartDelay } from "./restart-delay.ts";

it("doubles from 100 ms to 10 s", () => {
  const delay = restartDelay();
  const delays = Array.from({ length: 9 }, () => delay.next(0, undefined));
  expect(delays).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
});

it("begins anew after a minute of health", () => {
  const delay = restartDelay();
  delay.next(0, undefined);
  expect(delay.next(59_999, 0)).toBe(200);
  expect(delay.next(60_000, 0)).toBe(100);
  expect(delay.next(60_000, undefined)).toBe(200);
});
