import { join } from "node:path";
import { pythonPrograms, SCIKIT_LEARN } from "../measure/python-environment.ts";
import { dataBody, pythonFolder } from "../measure/trained-model.ts";
import { type Contender, startProgram } from "./contender.ts";

const VERSION = "0.2.19";

export const litserve: Contender = {
  name: `LitServe ${VERSION}`,
  async start(stage) {
    const { port, model } = stage;
    const bin = await pythonPrograms([`litserve==${VERSION}`, ...SCIKIT_LEARN]);
    const command = [join(bin, "python"), join(pythonFolder, "peers/litserve_app.py"), String(port)];
    return startProgram(stage, command, { url: `http://127.0.0.1:${port}/predict`, body: dataBody(model) });
  },
};
