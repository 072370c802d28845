import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { freePort } from "../../../e2e/src/harness/installation.ts";
import { pythonPrograms, SCIKIT_LEARN } from "../measure/python-environment.ts";
import { programContender } from "./contender.ts";

const VERSION = "1.7.1";

/** Its own scikit-learn runtime and V2 JSON; the model in the server's process, which is its fastest form on one core. */
export const mlserver = programContender(`MLServer ${VERSION}`, async ({ folder, port, model }) => {
  const bin = await pythonPrograms([`mlserver==${VERSION}`, `mlserver-sklearn==${VERSION}`, ...SCIKIT_LEARN]);
  const settings = {
    host: "127.0.0.1",
    http_port: port,
    grpc_port: await freePort(),
    metrics_port: await freePort(),
    parallel_workers: 0,
    debug: false,
  };
  const modelSettings = {
    name: "ridge",
    implementation: "mlserver_sklearn.SKLearnModel",
    parameters: { uri: "./sklearn_regression_model.pkl" },
  };
  await writeFile(join(folder, "settings.json"), JSON.stringify(settings));
  await writeFile(join(folder, "model-settings.json"), JSON.stringify(modelSettings));
  const { rows } = model;
  const input = { name: "x", datatype: "FP64", shape: [rows.length, rows[0]?.length], data: rows };
  return {
    command: [join(bin, "mlserver"), "start", folder],
    address: {
      url: `http://127.0.0.1:${port}/v2/models/ridge/infer`,
      body: JSON.stringify({ inputs: [input] }),
      predictions: (answer) => (answer as { outputs: readonly { data: unknown }[] }).outputs[0]?.data,
    },
  };
});
