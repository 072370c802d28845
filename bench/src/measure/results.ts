import { execFile } from "node:child_process";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Benchmark, Metric, Outcome } from "../benchmark.ts";
import type { Machine } from "./machine.ts";
import { markdownTable, tableRows } from "./table.ts";

const folder = fileURLToPath(new URL("../../results/", import.meta.url));
const FILE = /^(\d{4}-\d{2}-\d{2})-(.+)\.json$/;

/** Everything that was measured: raw values, so that others can judge them with their own statistics. */
export interface Result extends Outcome {
  readonly benchmark: string;
  readonly compares: string;
  readonly date: string;
  readonly machine: Machine;
  readonly metrics: readonly Metric[];
  readonly base?: string;
}

export function resultOf(benchmark: Benchmark, outcome: Outcome, machine: Machine, now: Date): Result {
  const { name, compares, metrics, base } = benchmark;
  const date = now.toISOString().slice(0, 10);
  return { benchmark: name, compares, date, machine, metrics, ...(base !== undefined && { base }), ...outcome };
}

/** Writes `results/YYYY-MM-DD-NAME.json` and the overview beside it; a second run on one day replaces the first. */
export async function writeResult(result: Result): Promise<string> {
  const file = join(folder, `${result.date}-${result.benchmark}.json`);
  await writeFile(file, JSON.stringify(result));
  await promisify(execFile)("biome", ["format", "--write", file]);
  await writeOverview();
  return file;
}

/** `results/README.md`: the newest result of each benchmark. */
export async function writeOverview(): Promise<void> {
  const newest = new Map<string, string>();
  for (const name of (await readdir(folder)).sort()) {
    const benchmark = FILE.exec(name)?.[2];
    if (benchmark !== undefined) newest.set(benchmark, name);
  }
  const sections = await Promise.all(
    [...newest.values()]
      .sort()
      .map(async (name) => section(name, JSON.parse(await readFile(join(folder, name), "utf8")))),
  );
  await writeFile(
    join(folder, "README.md"),
    [INTRODUCTION, ...(sections.length === 0 ? [NOTHING] : sections)].join("\n"),
  );
}

const INTRODUCTION = `# Results

<!-- Made by npm run bench. -->

Each cell is the median of the rounds, with the smallest and the largest in brackets. Contenders alternate within a round, and the last
column is the ratio of medians with the range of the ratios pair by pair: machines drift, so read ratios before figures. The \`.json\`
files hold every value. \`npm run bench -- --help\` says how each is measured.
`;

const NOTHING = `No result is recorded yet. \`npm run bench\` measures everything on a quiet machine and writes the files; with \`--quick\` it only tries
whether everything works, and writes nothing.
`;

function section(file: string, result: Result): string {
  const { benchmark, compares, date, machine, metrics, lines, base, facts, missing = [] } = result;
  const { processor, cores, memoryGiB, system, node, python, commit, loadBefore } = machine;
  const notes = [
    ...Object.entries(facts).map(([name, value]) => `${name}: ${value}`),
    ...missing.map((reason) => `not measured: ${reason}`),
  ];
  return `## ${benchmark}

${compares}

${markdownTable(tableRows(metrics, lines, base))}

[${date}](${file}), commit ${commit}: ${cores} × ${processor}, ${memoryGiB} GiB, ${system}, Node ${node}, Python ${python}, load before ${loadBefore}.
${notes.map((note) => `\n* ${note}`).join("")}
`;
}
