import { join } from "node:path";
import { pythonPrograms, SCIKIT_LEARN } from "../measure/python-environment.ts";
import { dataBody, pythonFolder } from "../measure/trained-model.ts";
import { programContender } from "./contender.ts";

const VERSION = "0.2.19";

export const litserve = programContender(`LitServe ${VERSION}`, async ({ port, model }) => {
  const bin = await pythonPrograms([`litserve==${VERSION}`, ...SCIKIT_LEARN]);
  return {
    command: [join(bin, "python"), join(pythonFolder, "peers/litserve_app.py"), String(port)],
    address: { url: `http://127.0.0.1:${port}/predict`, body: dataBody(model) },
  };
});
