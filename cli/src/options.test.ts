import { InvalidArgumentError } from "commander";
import { expect, test } from "vitest";
import { collectTag, positiveInteger, positiveNumber } from "./options.ts";

test("tags add up; a value may hold =", () => {
  expect(collectTag("b=x=y", collectTag("a"))).toEqual({ a: "", b: "x=y" });
  expect(() => collectTag("=1")).toThrow(InvalidArgumentError);
});

test.each(["", " ", "0", "-1", "x", "Infinity", "1,5"])("%j is no number above 0", (text) => {
  expect(() => positiveNumber(text)).toThrow(InvalidArgumentError);
});

test("whole numbers are told from others", () => {
  expect(positiveInteger("3")).toBe(3);
  expect(positiveNumber("0.5")).toBe(0.5);
  expect(() => positiveInteger("0.5")).toThrow("whole number");
});
