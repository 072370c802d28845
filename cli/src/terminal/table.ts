import { stripVTControlCharacters } from "node:util";
import { colors } from "./colors.ts";

/** Aligned columns under a heading, one line for each row. The last column is not padded. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = headings.map((heading, column) =>
    Math.max(width(heading), ...rows.map((row) => width(row[column] ?? ""))),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell + " ".repeat((widths[column] ?? 0) - width(cell)))
      .join("  ")
      .trimEnd();
  return [colors.dim(line(headings)), ...rows.map(line)].join("\n");
}

/** One thing: a line for each of its facts. Empty ones are left out. */
export function facts(entries: readonly (readonly [name: string, value: string | null | undefined])[]): string {
  const shown = entries.filter((entry): entry is [string, string] => Boolean(entry[1]));
  const longest = Math.max(0, ...shown.map(([name]) => name.length));
  return shown.map(([name, value]) => `${colors.dim(name.padEnd(longest))}  ${value}`).join("\n");
}

function width(text: string): number {
  return [...stripVTControlCharacters(text)].length;
}
