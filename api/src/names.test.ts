import { expect, test } from "vitest";
import { imageNames, modelNames, serviceNames } from "./names.ts";

const long = "a".repeat(33);

test.each([
  [
    "model",
    modelNames,
    ["m", "Digits_2.1-b", "a".repeat(255)],
    ["", ".", "..", "a b", "a/b", "größe", "a".repeat(256)],
  ],
  [
    "image",
    imageNames,
    ["abc", "a-b.c", "a--b", "1st"],
    ["ab", "a b", "Abc", "a_b", "-ab", "ab-", "a..b", "a.-b", long],
  ],
  ["service", serviceNames, ["abc", "a-1", "ab-"], ["d1", "1ab", "-ab", "Abc", "a.b", "a_b", "abc\n", long]],
])("what a %s may be called", (_kind, rule, good, bad) => {
  expect(good.filter((name) => !rule.matches(name))).toEqual([]);
  expect(bad.filter((name) => rule.matches(name))).toEqual([]);
});

test("hostile names are refused at once", () => {
  const started = Date.now();
  for (const { matches } of [modelNames, imageNames, serviceNames]) matches(`${"a-".repeat(500_000)}!`);
  expect(Date.now() - started).toBeLessThan(5_000);
});
