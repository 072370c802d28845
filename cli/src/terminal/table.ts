import { stripVTControlCharacters } from "node:util";
import { colors } from "./colors.ts";

/** Aligned columns under a heading, one line for each row. The last column is not padded. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const [heading = "", ...lines] = aligned([headings, ...rows], []);
  return [colors.dim(heading), ...lines].join("\n");
}

/** Aligned columns without a heading. */
export function columns(
  rows: readonly (readonly string[])[],
  options: { /** positions of columns with numbers in them */ readonly right?: readonly number[] } = {},
): string {
  return aligned(rows, options.right ?? []).join("\n");
}

function aligned(rows: readonly (readonly string[])[], right: readonly number[]): string[] {
  const count = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: count }, (_, column) => Math.max(...rows.map((row) => width(row[column] ?? ""))));
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const padding = " ".repeat((widths[column] ?? 0) - width(cell));
        return right.includes(column) ? padding + cell : cell + padding;
      })
      .join("  ")
      .trimEnd(),
  );
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
