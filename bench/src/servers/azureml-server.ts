import { join } from "node:path";
import { pythonPrograms, SCIKIT_LEARN } from "../measure/python-environment.ts";
import { type Contender, dataBody, startProgram } from "./contender.ts";

const VERSION = "1.5.1";

/** What Azure ML's images run: the same score.py, its own settings but for the address. */
export const azuremlServer: Contender = {
  name: `azureml-inference-server-http ${VERSION}`,
  async start(stage) {
    const { folder, port, model } = stage;
    const bin = await pythonPrograms([`azureml-inference-server-http==${VERSION}`, ...SCIKIT_LEARN]);
    const options = [
      "--entry_script",
      "score.py",
      "--model_dir",
      folder,
      "--worker_count",
      "1",
      "--port",
      String(port),
    ];
    const address = { url: `http://127.0.0.1:${port}/score`, body: dataBody(model) };
    return startProgram(stage, [join(bin, "azmlinfsrv"), ...options], address, {
      env: { PATH: `${bin}:${process.env.PATH}` },
    });
  },
};
