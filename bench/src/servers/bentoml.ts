import { cp } from "node:fs/promises";
import { join } from "node:path";
import { pythonPrograms, SCIKIT_LEARN } from "../measure/python-environment.ts";
import { dataBody, pythonFolder } from "../measure/trained-model.ts";
import { type Contender, startProgram } from "./contender.ts";

const VERSION = "1.4.39";

export const bentoml: Contender = {
  name: `BentoML ${VERSION}`,
  async start(stage) {
    const { folder, port, model } = stage;
    const bin = await pythonPrograms([`bentoml==${VERSION}`, ...SCIKIT_LEARN]);
    await cp(join(pythonFolder, "peers/bentoml_app.py"), join(folder, "bentoml_app.py"));
    const command = [join(bin, "bentoml"), "serve", "bentoml_app:Ridge", "--host", "127.0.0.1", "--port", String(port)];
    const address = { url: `http://127.0.0.1:${port}/score`, body: dataBody(model) };
    return startProgram(stage, command, address, { env: { BENTOML_DO_NOT_TRACK: "True", BENTOML_HOME: folder } });
  },
};
