import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import type { Benchmark } from "./benchmark.ts";
import { bodies } from "./bodies.ts";
import { cycles } from "./cycles.ts";
import { gateway } from "./gateway.ts";
import { image } from "./image.ts";
import { imageSize } from "./image-size.ts";
import { describeMachine } from "./measure/machine.ts";
import { resultOf, writeResult } from "./measure/results.ts";
import { plainTable, tableRows } from "./measure/table.ts";
import { onnxCnn } from "./onnx-cnn.ts";
import { onnxRidge } from "./onnx-ridge.ts";
import { overload } from "./overload.ts";
import { ownClient } from "./own-client.ts";
import { registry } from "./registry.ts";
import { scoring } from "./scoring.ts";
import { scoringTwoCores } from "./scoring-two-cores.ts";
import { script } from "./script.ts";
import { start } from "./start.ts";
import { updates } from "./updates.ts";
import { upload } from "./upload.ts";

/** `npm run bench -- [NAME…] [--quick]` */
const benchmarks: readonly Benchmark[] = [
  script,
  ownClient,
  updates,
  upload,
  image,
  imageSize,
  registry,
  scoring,
  scoringTwoCores,
  onnxRidge,
  onnxCnn,
  start,
  gateway,
  overload,
  bodies,
  cycles,
];

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: "boolean", default: false }, help: { type: "boolean", default: false } },
});
/** `onnx` stands for `onnx-ridge` and `onnx-cnn`, too. */
const isMeant = (name: string, given: string) => name === given || name.startsWith(`${given}-`);
const unknown = positionals.filter((given) => !benchmarks.some(({ name }) => isMeant(name, given)));
const chosen = benchmarks.filter(
  ({ name }) => positionals.length === 0 || positionals.some((given) => isMeant(name, given)),
);

if (unknown.length > 0) {
  process.stderr.write(`There is no benchmark named ${unknown.join(", ")}.\n\n${overview()}`);
  process.exitCode = 2;
} else if (values.help) {
  process.stdout.write(positionals.length === 0 ? overview() : chosen.map(details).join("\n"));
} else {
  for (const benchmark of chosen) {
    await run(benchmark, values.quick).catch((error: Error) => {
      process.stderr.write(`${benchmark.name} failed: ${error.stack ?? error.message}\n`);
      process.exitCode = 1;
    });
  }
}

async function run(benchmark: Benchmark, quick: boolean): Promise<void> {
  await using resources = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "slipway-bench-"));
  resources.defer(() => rm(folder, { recursive: true, force: true }));
  const interrupt = () => void resources.disposeAsync().finally(() => process.exit(130));
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  resources.defer(() => void process.off("SIGINT", interrupt).off("SIGTERM", interrupt));

  const machine = describeMachine();
  say(`\n${benchmark.name}: ${benchmark.compares}`);
  const outcome = await benchmark.run({ quick, folder, resources, say: (text) => say(`  ${text}`) });
  const { metrics, base } = benchmark;
  say(`\n${plainTable(tableRows(metrics, outcome.lines, base))}\n`);
  for (const [name, value] of Object.entries(outcome.facts)) say(`${name}: ${value}`);
  for (const reason of outcome.missing ?? []) say(`not measured: ${reason}`);
  if (quick) return say("A quick run writes no result: its figures mean nothing.");
  const file = await writeResult(resultOf(benchmark, outcome, machine, new Date()));
  say(`written to ${relative(process.cwd(), file)}`);
}

function overview(): string {
  const width = Math.max(...benchmarks.map(({ name }) => name.length));
  const lines = benchmarks.map(({ name, compares }) => `  ${name.padEnd(width)}  ${compares}`);
  return `Usage: npm run bench -- [NAME…] [--quick] [--help]

${lines.join("\n")}

Without names all of them, one after the other. Results go to bench/results; --quick only tries whether everything works.
\`npm run bench -- NAME --help\` says how it is measured and how long that takes. Measure on a machine that does nothing else.
`;
}

function details({ name, compares, help }: Benchmark): string {
  return `${name}: ${compares}\n\n${help}\n`;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
