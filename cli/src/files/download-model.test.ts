import { expect, test } from "vitest";
import { targetPath } from "./download-model.ts";

test.each([
  ["model.pkl", "/to/model.pkl"],
  ["exported/a/b", "/to/exported/a/b"],
  ["a/../b", "/to/b"],
  ["..name", "/to/..name"],
])("%s is written as %s", (path, expected) => expect(targetPath("/to", path)).toBe(expected));

test.each(["../x", "a/../../x", "/etc/passwd", "..", "a\0b"])("%j does not leave the folder", (path) => {
  expect(() => targetPath("/to", path)).toThrow(expect.objectContaining({ code: "UnsafePath" }));
});
