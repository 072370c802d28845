import type { Line, Metric } from "../benchmark.ts";
import { ratio, type Summary, summarize } from "./statistics.ts";

/** The heading and a row for each line: median (min–max) of each metric, and the ratio of the first metric to the base. */
export function tableRows(metrics: readonly Metric[], lines: readonly Line[], base: string | undefined): string[][] {
  const [first] = metrics;
  const baseValues = first && lines.find(({ name }) => name === base)?.values[first.title];
  const heading = ["", ...metrics.map(({ title }) => title), ...(baseValues ? [`× ${base}`] : [])];
  return [
    heading,
    ...lines.map(({ name, values }) => {
      const cells = metrics.map(({ title, decimals }) => cell(values[title], decimals));
      const own = first && values[first.title];
      return [name, ...cells, ...(baseValues ? [own ? ratioCell(own, baseValues) : "–"] : [])];
    }),
  ];
}

/** Columns under each other, for a terminal. */
export function plainTable(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  const pad = (text: string, column: number) =>
    column === 0 ? text.padEnd(widths[column] ?? 0) : text.padStart(widths[column] ?? 0);
  return rows.map((row) => row.map(pad).join("  ")).join("\n");
}

export function markdownTable(rows: readonly (readonly string[])[]): string {
  const [heading = [], ...body] = rows;
  const rule = heading.map((_, column) => (column === 0 ? "---" : "---:"));
  return [heading, rule, ...body].map((row) => `| ${row.join(" | ")} |`).join("\n");
}

function cell(values: readonly number[] | undefined, decimals: number): string {
  if (values === undefined) return "–";
  const { median } = summarize(values);
  return values.length === 1 ? figure(median, decimals) : `${figure(median, decimals)} (${range(values, decimals)})`;
}

function ratioCell(values: readonly number[], base: readonly number[]): string {
  const { ofMedians, pairByPair } = ratio(values, base);
  return `${figure(ofMedians, 2)} (${spread(pairByPair, 2)})`;
}

const range = (values: readonly number[], decimals: number) => spread(summarize(values), decimals);
const spread = ({ min, max }: Summary, decimals: number) => `${figure(min, decimals)}–${figure(max, decimals)}`;

function figure(value: number, decimals: number): string {
  return value.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}
