import { cp } from "node:fs/promises";
import { join } from "node:path";
import { pythonPrograms, SCIKIT_LEARN } from "../measure/python-environment.ts";
import { dataBody, pythonFolder } from "../measure/trained-model.ts";
import { programContender } from "./contender.ts";

const VERSION = "1.4.39";

export const bentoml = programContender(`BentoML ${VERSION}`, async ({ folder, port, model }) => {
  const bin = await pythonPrograms([`bentoml==${VERSION}`, ...SCIKIT_LEARN]);
  await cp(join(pythonFolder, "peers/bentoml_app.py"), join(folder, "bentoml_app.py"));
  return {
    command: [join(bin, "bentoml"), "serve", "bentoml_app:Ridge", "--host", "127.0.0.1", "--port", String(port)],
    env: { BENTOML_DO_NOT_TRACK: "True", BENTOML_HOME: folder },
    address: { url: `http://127.0.0.1:${port}/score`, body: dataBody(model) },
  };
});
