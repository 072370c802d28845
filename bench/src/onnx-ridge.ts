import { basename, join } from "node:path";
import type { Benchmark } from "./benchmark.ts";
import { LOOP_METRICS, PER_SECOND } from "./measure/both-loops.ts";
import { runOnOneCore } from "./measure/one-core-run.ts";
import { ONNX, ONNX_TOOLS, pythonPrograms } from "./measure/python-environment.ts";
import { pythonFolder, trainOnnxModel } from "./measure/trained-model.ts";
import { AZUREML_SERVER, azuremlServer } from "./servers/azureml-server.ts";
import type { Stage } from "./servers/contender.ts";
import { nodeEcho } from "./servers/node-echo.ts";
import { slipwayGateway } from "./servers/slipway-gateway.ts";
import { slipwayScorer } from "./servers/slipway-scorer.ts";
import { triton } from "./servers/triton.ts";

const script = join(pythonFolder, "onnx/score.py");

/** `{"variable": [[…], […]]}` */
const predictions = (answer: unknown) => (answer as { variable: readonly (readonly number[])[] }).variable.flat();

const contenders = [
  azuremlServer(ONNX),
  slipwayGateway({ deploy: ({ model }) => ["--model", model.file], predictions }),
  slipwayScorer({
    runtime: async ({ folder, model }: Stage) => ({
      kind: "onnx",
      models: [{ name: "ridge", file: join(folder, basename(model.file)) }],
    }),
    predictions,
  }),
  triton,
  nodeEcho,
];

export const onnxRidge: Benchmark = {
  name: "onnx-ridge",
  compares:
    "Requests per second on one core for a small ONNX model: Slipway with TLS and key, its scorer alone, and others.",
  help: `The ridge regression of \`scoring\` as an ONNX model of ten features, asked about two rows in JSON; measured as there. Slipway takes the
model without a script. azureml-inference-server-http runs it in a score.py with ONNX Runtime for Python, and so does Triton in its
Python backend: the Triton that a package index has comes without its ONNX backend. OpenVINO Model Server is in none. Open loop:
${PER_SECOND} requests/s.

3 rounds of 5 s closed and 5 s open loop, about 4 minutes (the first time a minute more). --quick: 1 round of 1 s each.`,
  metrics: LOOP_METRICS,
  base: AZUREML_SERVER,
  run: (context) =>
    runOnOneCore(context, {
      contenders,
      script,
      packages: ONNX,
      prepare: async () => ({
        model: await trainOnnxModel(join(await pythonPrograms(ONNX_TOOLS), "python"), context.folder),
        python: join(await pythonPrograms(ONNX), "python"),
      }),
    }),
};
