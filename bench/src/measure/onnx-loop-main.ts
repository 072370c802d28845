import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { repository } from "../../../e2e/src/harness/installation.ts";

/** As much of ONNX Runtime for Node as this needs; the scorer's own is loaded. */
interface Onnx {
  readonly InferenceSession: { create(file: string, options: object): Promise<Session> };
  readonly Tensor: new (type: string, data: Float32Array, dims: readonly number[]) => unknown;
}

interface Session {
  readonly inputNames: readonly string[];
  run(feeds: Readonly<Record<string, unknown>>): Promise<unknown>;
}

/** The limit without a server: a model of one input in a loop on one thread. Prints runs per second. */
const [file = "", sample = "", seconds = "1"] = process.argv.slice(2);
const { InferenceSession, Tensor } = createRequire(join(repository, "scoring/package.json"))(
  "onnxruntime-node",
) as Onnx;
const { rows } = JSON.parse(await readFile(sample, "utf8")) as { readonly rows: readonly unknown[] };
const session = await InferenceSession.create(file, { intraOpNumThreads: 1, interOpNumThreads: 1 });
const [input = ""] = session.inputNames;
const values = Float32Array.from(rows.flat(Number.POSITIVE_INFINITY) as number[]);
const feeds = { [input]: new Tensor("float32", values, shapeOf(rows)) };
await session.run(feeds);

let count = 0;
const began = performance.now();
const end = began + Number(seconds) * 1000;
while (performance.now() < end) {
  await session.run(feeds);
  count += 1;
}
process.stdout.write(String((count * 1000) / (performance.now() - began)));

function shapeOf(value: unknown): number[] {
  return Array.isArray(value) ? [value.length, ...shapeOf(value[0])] : [];
}
