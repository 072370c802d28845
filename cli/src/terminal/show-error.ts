import { isSlipwayError } from "@slipway/client";
import { CommanderError } from "commander";
import { CliError } from "../cli-error.ts";
import { colors } from "./colors.ts";
import { printable } from "./format.ts";

/** What a failure looks like on standard error; an empty text if it has been shown already. */
export function showError(error: unknown, json: boolean): string {
  if (error instanceof CommanderError) return "";
  const known = isSlipwayError(error) || error instanceof CliError;
  const code = known ? error.code : "UnexpectedError";
  const message = error instanceof Error ? error.message : String(error);
  const said = message.toLowerCase();
  const details = isSlipwayError(error)
    ? error.details.filter((detail) => !said.includes(detail.message.toLowerCase()))
    : [];
  if (json) {
    const statusCode = isSlipwayError(error) && error.statusCode > 0 ? error.statusCode : undefined;
    return `${JSON.stringify({ error: { code, message, statusCode, details } }, null, 2)}\n`;
  }
  if (!known) return `${colors.red("✗")} ${error instanceof Error ? (error.stack ?? message) : message}\n`;
  const lines = [`${colors.red("✗")} ${printable(message)} ${colors.dim(`(${code})`)}`];
  for (const detail of details) lines.push(`  ${printable(detail.message)}`);
  return `${lines.join("\n")}\n`;
}

/** Whether the command line asks for JSON, also if it cannot be parsed. */
export function asksForJson(args: readonly string[]): boolean {
  return args.some(
    (arg, index) =>
      ["--output=json", "-o=json", "-ojson"].includes(arg) ||
      (["--output", "-o"].includes(arg) && args[index + 1] === "json"),
  );
}
