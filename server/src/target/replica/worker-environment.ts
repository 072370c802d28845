import { join } from "node:path";
import { SAFE_ENV } from "../../platform/sandbox.ts";
import type { ImageBundle } from "../target.ts";

/** The variables of a Python worker, complete but for `HOME`. */
export function workerEnvironment(bundle: ImageBundle, environmentRoot: string): Record<string, string> {
  return {
    LANG: "C.UTF-8",
    PYTHONUNBUFFERED: "1",
    // The environment is shared and read-only.
    PYTHONDONTWRITEBYTECODE: "1",
    ...bundle.environmentVariables,
    PATH: [join(environmentRoot, "bin"), bundle.environmentVariables.PATH ?? SAFE_ENV.PATH].join(":"),
    AML_APP_ROOT: bundle.appRoot,
    AZUREML_MODEL_DIR: modelFolder(bundle),
  };
}

/** Wire contract 13.1: the one model's version folder, else the folder of all. */
function modelFolder(bundle: ImageBundle): string {
  const all = join(bundle.appRoot, "azureml-models");
  const [only, ...others] = bundle.models;
  return only === undefined || others.length > 0 ? all : join(all, only.name, String(only.version));
}
