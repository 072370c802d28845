import { expect, test } from "vitest";
import { percentile, ratio, summarize } from "./statistics.ts";

test("an odd number of runs has one in the middle, an even number two", () => {
  expect(summarize([9, 1, 4])).toEqual({ median: 4, min: 1, max: 9 });
  expect(summarize([9, 1, 4, 6]).median).toBe(5);
});

test("percentiles lie between their neighbours", () => {
  const values = Array.from({ length: 101 }, (_, index) => 100 - index);
  expect([0, 50, 99, 100].map((percent) => percentile(values, percent))).toEqual([0, 50, 99, 100]);
  expect(percentile([1, 2], 25)).toBe(1.25);
});

test("nothing measured is an error, not a zero", () => expect(() => summarize([])).toThrow(RangeError));

test("the drift of a machine cancels out pair by pair", () => {
  const { ofMedians, pairByPair } = ratio([10, 5, 20], [5, 2.5, 10]);
  expect(ofMedians).toBe(2);
  expect(pairByPair).toEqual({ median: 2, min: 2, max: 2 });
});

test("rounds without a partner are left out of the pairs", () => {
  expect(ratio([10], [5, 100]).pairByPair).toEqual({ median: 2, min: 2, max: 2 });
});
