import { stripVTControlCharacters } from "node:util";
import { SlipwayError } from "@slipway/client";
import { expect, test } from "vitest";
import { CliError } from "../cli-error.ts";
import { asksForJson, showError } from "./show-error.ts";

const conflict = new SlipwayError({
  code: "ModelInUse",
  statusCode: 412,
  message: "The model a:1 is used.",
  details: [
    { code: "ModelInUse", message: "The model a:1 is used." },
    { code: "ModelInUse", message: "image b:1" },
  ],
});

test("people see the message, its code, and details that say more", () => {
  expect(stripVTControlCharacters(showError(conflict, false))).toBe(
    "✗ The model a:1 is used. (ModelInUse)\n  image b:1\n",
  );
});

test("programs get the same as JSON", () => {
  expect(JSON.parse(showError(conflict, true))).toEqual({
    error: {
      code: "ModelInUse",
      message: "The model a:1 is used.",
      statusCode: 412,
      details: [{ code: "ModelInUse", message: "image b:1" }],
    },
  });
});

test("only what we did not expect shows a stack", () => {
  expect(showError(new CliError("NotAFile", "usage", "x is not a file."), false)).not.toContain("at ");
  expect(showError(new TypeError("oops"), false)).toContain("show-error.test.ts");
});

test.each([
  [["model", "list", "--output", "json"], true],
  [["model", "list", "--output=json"], true],
  [["model", "list", "-o", "json"], true],
  [["model", "list", "--output", "text"], false],
  [["model", "show", "json"], false],
])("%j asks for JSON: %s", (args, expected) => expect(asksForJson(args)).toBe(expected));
