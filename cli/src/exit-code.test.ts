import { SlipwayError } from "@slipway/client";
import { CommanderError } from "commander";
import { expect, test } from "vitest";
import { CliError } from "./cli-error.ts";
import { exitCodeOf } from "./exit-code.ts";

const answered = (statusCode: number) => new SlipwayError({ code: "X", statusCode, message: "x" });

test.each([
  ["help", new CommanderError(0, "commander.helpDisplayed", ""), 0],
  ["a wrong option", new CommanderError(1, "commander.unknownOption", ""), 2],
  ["not found", answered(404), 3],
  ["in use", answered(412), 3],
  ["forbidden", answered(403), 3],
  ["not supported", answered(501), 3],
  ["no answer", answered(0), 4],
  ["not signed in", answered(401), 4],
  ["score.py failed", answered(424), 1],
  ["the server failed", answered(500), 1],
  ["no server known", new CliError("NoServerKnown", "unreachable", ""), 4],
  ["a missing file", new CliError("FileNotReadable", "usage", ""), 2],
  ["Ctrl-C", new DOMException("stopped", "AbortError"), 130],
  ["a bug", new TypeError("x"), 1],
])("%s", (_name, error, expected) => expect(exitCodeOf(error)).toBe(expected));
