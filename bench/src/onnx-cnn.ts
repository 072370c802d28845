import { execFile } from "node:child_process";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Benchmark } from "./benchmark.ts";
import { requirePrograms } from "./measure/both-loops.ts";
import { pinned, pinSelf, twoCores } from "./measure/cores.ts";
import { type InferenceForm, inferenceLoad } from "./measure/inference-load.ts";
import { INFERENCE_CLIENTS, ONNX, ONNX_TOOLS, pythonPrograms } from "./measure/python-environment.ts";
import { collectRounds, type Measured } from "./measure/rounds.ts";
import { makeNetwork, pythonFolder, type TrainedModel } from "./measure/trained-model.ts";
import { azuremlServer } from "./servers/azureml-server.ts";
import type { ScoringAddress, Stage } from "./servers/contender.ts";
import { slipwayGateway } from "./servers/slipway-gateway.ts";
import { slipwayScorer } from "./servers/slipway-scorer.ts";
import { startContenders } from "./servers/start-contenders.ts";

/** `{"logits": [[…]]}` */
const predictions = (answer: unknown) => (answer as { logits: readonly (readonly number[])[] }).logits[0];

const gateway = slipwayGateway({ deploy: ({ model }) => ["--model", model.file], memoryGiB: 2, predictions });
const scorer = slipwayScorer({
  runtime: async ({ folder, model }: Stage) => ({
    kind: "onnx",
    models: [{ name: "cnn", file: join(folder, basename(model.file)) }],
  }),
  predictions,
});
const azureml = azuremlServer(ONNX);

const FORMS: Readonly<Record<string, readonly InferenceForm[]>> = {
  [gateway.name]: ["binary", "grpc", "json", "score"],
  [scorer.name]: ["binary"],
  [azureml.name]: ["score"],
};
const WORDS = { binary: "v2 with bytes", grpc: "gRPC", json: "v2 JSON", score: "/score JSON" } as const;
const IN_PROCESS = "limit: onnxruntime in Python, in a loop";

export const onnxCnn: Benchmark = {
  name: "onnx-cnn",
  compares:
    "Images per second on one core for a network like ResNet-50: Slipway in each protocol, beside the runtime in a loop.",
  help: `A network of the shape of ResNet-50 with 25.5 million random weights is asked about one image of 224 × 224 × 3 (0.6 MB, 3 MB as JSON) over
four connections from another core: by the genuine tritonclient for bytes and gRPC, by plain POST of a body that is made once for JSON.
Every server has one core and one thread of ONNX Runtime ${ONNX.join("").split("==")[1]}, as do the loops without a server in Python and in Node. Before each
measurement an answer is compared with the one in process. Slipway's gateway has TLS and a key to check.

3 rounds of 6 s each, about 4 minutes (the first time a minute more). --quick: 1 round of 2 s each.`,
  metrics: [
    { title: "images/s", decimals: 1 },
    { title: "p50 ms", decimals: 0 },
    { title: "p99 ms", decimals: 0 },
    { title: "failed", decimals: 0 },
  ],
  base: IN_PROCESS,
  async run(context) {
    requirePrograms();
    const [rounds, seconds] = context.quick ? [1, 2] : [3, 6];
    const tools = join(await pythonPrograms([...ONNX_TOOLS, ...ONNX]), "python");
    const clients = join(await pythonPrograms(INFERENCE_CLIENTS), "python");
    const model = await makeNetwork(tools, context.folder);
    const cores = twoCores();
    context.resources.defer(() => pinSelf(cores.all));
    pinSelf(cores.server);
    const script = join(pythonFolder, "onnx/score.py");
    const { started, missing } = await startContenders(context, [gateway, scorer, azureml], model, script);
    pinSelf(cores.load);

    const lines = await collectRounds(context, rounds, async function* (): AsyncIterable<Measured> {
      yield { name: IN_PROCESS, values: { "images/s": await loopInPython(tools, model, seconds, cores.server) } };
      for (const { name, address } of started) {
        for (const form of FORMS[name] ?? []) {
          yield { name: `${name}: ${WORDS[form]}`, values: await load(clients, form, address, model, seconds) };
        }
      }
      const inNode = await loopInNode(model, seconds, cores.server);
      yield { name: "limit: onnxruntime in Node, in a loop", values: { "images/s": inNode } };
    });
    return {
      lines,
      missing,
      facts: { "server core": cores.server, "load core": cores.load, packages: ONNX.join(", ") },
    };
  },
};

async function load(
  python: string,
  form: InferenceForm,
  address: ScoringAddress,
  model: TrainedModel,
  seconds: number,
): Promise<Record<string, number>> {
  const { perSecond, failed, p50Ms, p99Ms } = await inferenceLoad(python, form, address, model, seconds);
  return { "images/s": perSecond, "p50 ms": p50Ms, "p99 ms": p99Ms, failed };
}

function loopInPython(python: string, model: TrainedModel, seconds: number, core: number): Promise<number> {
  return loop([python, join(pythonFolder, "onnx/in_process.py"), join(model.file, ".."), String(seconds)], core);
}

function loopInNode(model: TrainedModel, seconds: number, core: number): Promise<number> {
  const program = fileURLToPath(new URL("./measure/onnx-loop-main.ts", import.meta.url));
  const files = [model.file, join(model.file, "../sample.json")];
  return loop([process.execPath, "--conditions=slipway-source", program, ...files, String(seconds)], core);
}

async function loop(command: readonly string[], core: number): Promise<number> {
  const [program = "", ...args] = pinned(core, command);
  const { stdout } = await promisify(execFile)(program, args);
  return Number(stdout);
}
