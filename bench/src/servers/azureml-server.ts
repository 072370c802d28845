import { join } from "node:path";
import { pythonPrograms, SCIKIT_LEARN } from "../measure/python-environment.ts";
import { dataBody } from "../measure/trained-model.ts";
import { type Contender, startProgram } from "./contender.ts";

const VERSION = "1.5.1";

export const AZUREML_SERVER = `azureml-inference-server-http ${VERSION}`;

/** What Azure ML's images run: the same score.py, its own settings but for the address and the number of workers. */
export function azuremlServer(packages: readonly string[] = SCIKIT_LEARN, workers = 1): Contender {
  return {
    name: AZUREML_SERVER,
    async start(stage) {
      const { folder, port, model } = stage;
      const bin = await pythonPrograms([`azureml-inference-server-http==${VERSION}`, ...packages]);
      const script = ["--entry_script", "score.py", "--model_dir", folder];
      const command = [join(bin, "azmlinfsrv"), ...script, "--worker_count", String(workers), "--port", String(port)];
      const address = { url: `http://127.0.0.1:${port}/score`, body: dataBody(model) };
      return startProgram(stage, command, address, { env: { PATH: `${bin}:${process.env.PATH}` } });
    },
  };
}
