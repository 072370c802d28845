import { expect, test } from "vitest";
import { age, byteSize, duration, printable, tagList } from "./format.ts";

test.each([
  [0, "0 ms"],
  [999.4, "999 ms"],
  [1_000, "1.0 s"],
  [59_949, "59.9 s"],
  [59_950, "1 min 00 s"],
  [65_000, "1 min 05 s"],
  [3_600_000, "1 h 00 min"],
  [5_430_000, "1 h 30 min"],
])("%d ms is %s", (ms, text) => expect(duration(ms)).toBe(text));

test.each([
  [0, "0 B"],
  [1_023, "1023 B"],
  [1_024, "1.0 KiB"],
  [15 * 1024 * 1024, "15 MiB"],
  [1024 ** 3, "1.0 GiB"],
])("%d bytes are %s", (bytes, text) => expect(byteSize(bytes)).toBe(text));

test("an age is in the largest whole unit", () => {
  const now = Date.parse("2026-11-22T12:00:00Z");
  expect(age("2026-11-22T11:59:48Z", now)).toBe("12 s ago");
  expect(age("2026-11-22T09:00:00Z", now)).toBe("3 h ago");
  expect(age("2026-11-12T12:00:00Z", now)).toBe("10 d ago");
  expect(age("2026-11-22T12:00:05Z", now)).toBe("0 s ago");
  expect(age("no time", now)).toBe("");
});

test("tags without a value are shown as words", () => {
  expect(tagList({ a: "1", b: "" })).toBe("a=1 b");
  expect(tagList(null)).toBe("");
});

test("escape sequences from outside are shown, not obeyed", () => {
  expect(printable("a\u001b[2Jb\u009b1m\nc\td")).toBe("a\\x1b[2Jb\\x9b1m\nc\td");
});
