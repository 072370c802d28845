import { stripVTControlCharacters } from "node:util";
import colors from "picocolors";
import { expect, test } from "vitest";
import { facts, table } from "./table.ts";

test("columns are as wide as what is seen, colours left out", () => {
  const red = colors.createColors(true).red;
  const text = stripVTControlCharacters(
    table(
      ["NAME", "STATE", "IMAGE"],
      [
        ["a-long-name", red("Failed"), "x:1"],
        ["b", "Healthy", ""],
      ],
    ),
  );
  expect(text.split("\n")).toEqual([
    "NAME         STATE    IMAGE",
    "a-long-name  Failed   x:1",
    "b            Healthy",
  ]);
});

test("facts without a value are left out", () => {
  const text = stripVTControlCharacters(
    facts([
      ["Name", "a"],
      ["Description", null],
      ["State", "Healthy"],
    ]),
  );
  expect(text).toBe("Name   a\nState  Healthy");
});
