import { join } from "node:path";
import { pythonPrograms, SCIKIT_LEARN } from "../measure/python-environment.ts";
import { dataBody } from "../measure/trained-model.ts";
import { type ProgramContender, programContender } from "./contender.ts";

const VERSION = "1.5.1";

export const AZUREML_SERVER = `azureml-inference-server-http ${VERSION}`;

/** What Azure ML's images run: the same score.py, its own settings but for the address and the number of workers. */
export function azuremlServer(packages: readonly string[] = SCIKIT_LEARN, workers = 1): ProgramContender {
  return programContender(AZUREML_SERVER, async ({ folder, port, model }) => {
    const bin = await pythonPrograms([`azureml-inference-server-http==${VERSION}`, ...packages]);
    const script = ["--entry_script", "score.py", "--model_dir", folder];
    return {
      command: [join(bin, "azmlinfsrv"), ...script, "--worker_count", String(workers), "--port", String(port)],
      env: { PATH: `${bin}:${process.env.PATH}` },
      address: { url: `http://127.0.0.1:${port}/score`, body: dataBody(model) },
    };
  });
}
