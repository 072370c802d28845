import { readFile } from "node:fs/promises";
import { InvalidArgumentError } from "commander";
import { CliError } from "./cli-error.ts";
import { fileNotReadable } from "./files/file-error.ts";

/** For options that may be given several times. */
export function collect(value: string, previous: readonly string[] = []): string[] {
  return [...previous, value];
}

/** `key=value`, or `key` alone, into an object; for options that may be given several times. */
export function collectTag(text: string, previous: Readonly<Record<string, string>> = {}): Record<string, string> {
  const at = text.indexOf("=");
  const key = at === -1 ? text : text.slice(0, at);
  if (key === "") throw new InvalidArgumentError("Give KEY=VALUE.");
  return { ...previous, [key]: at === -1 ? "" : text.slice(at + 1) };
}

export function positiveNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value) || value <= 0)
    throw new InvalidArgumentError("Give a number above 0.");
  return value;
}

export function positiveInteger(text: string): number {
  const value = positiveNumber(text);
  if (!Number.isInteger(value)) throw new InvalidArgumentError("Give a whole number.");
  return value;
}

/** 0 or more. */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value))
    throw new InvalidArgumentError("Give a whole number, 0 or more.");
  return value;
}

/** A text given in place, or `@FILE` for the content of a file. */
export async function inlineOrFile(text: string): Promise<string> {
  if (!text.startsWith("@")) return text;
  const file = text.slice(1);
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw fileNotReadable(file, error);
  }
}

/** For commands that must not guess a version. @throws {CliError} VersionMissing */
export function checkAssetId(kind: "model" | "image", text: string): void {
  if (/:[1-9]\d*$/.test(text)) return;
  throw new CliError(
    "VersionMissing",
    "usage",
    `${JSON.stringify(text)} names no version. Give NAME:VERSION; \`slipway ${kind} list\` shows all.`,
  );
}
