import type { Command } from "commander";
import { expect, test } from "vitest";
import { exitCodeOf } from "./exit-code.ts";
import { createProgram } from "./program.ts";

function leaves(command: Command, path: readonly string[] = []): [string, Command][] {
  if (command.commands.length === 0) return [[path.join(" "), command]];
  return command.commands.flatMap((child) => leaves(child, [...path, child.name()]));
}

/** What a command line prints before anything is done, and how it ends. */
async function outcome(...args: string[]): Promise<{ exitCode: number; output: string }> {
  let output = "";
  const program = createProgram("1.2.3");
  const write = (text: string) => {
    output += text;
  };
  for (const [, command] of [["", program] as const, ...leaves(program)]) {
    command.configureOutput({ writeOut: write, writeErr: write });
  }
  try {
    await program.parseAsync(args, { from: "user" });
    return { exitCode: 0, output };
  } catch (error) {
    return { exitCode: exitCodeOf(error), output };
  }
}

test.each(leaves(createProgram("1.2.3")))("%s explains itself with an example", async (path) => {
  const { exitCode, output } = await outcome(...path.split(" "), "--help");
  expect(exitCode).toBe(0);
  const afterOptions = output.split("display help for command\n").at(-1);
  expect(afterOptions).toContain(`slipway ${path}`);
});

test.each([
  ["bogus"],
  ["model", "bogus"],
  ["model", "list", "--bogus"],
  ["model", "register"],
  ["model", "list", "--output", "xml"],
  ["image", "create", "a"],
  ["service", "deploy", "a", "--cpu", "none"],
  ["service", "logs", "a", "--tail", "1.5"],
])("a wrong command line (%s %s %s) ends with 2", async (...args) => {
  expect((await outcome(...args)).exitCode).toBe(2);
});

test("a misspelt command is recognised", async () => {
  expect((await outcome("modle")).output).toContain("model");
});

test("the version is printed", async () => {
  expect(await outcome("--version")).toEqual({ exitCode: 0, output: "1.2.3\n" });
});
