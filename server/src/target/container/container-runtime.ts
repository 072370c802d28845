import { join, relative } from "node:path";
import { imagePaths, type ScorerConfig } from "@slipway/api";
import { onnxModels } from "../replica/onnx-models.ts";
import { bundleIncomplete } from "../replica/replica-errors.ts";
import { workerEnvironment } from "../replica/worker-environment.ts";
import type { ImageBundle } from "../target.ts";

/** What the scorer starts, with the paths of the image. The container itself is the sandbox. */
export async function containerRuntime(bundle: ImageBundle): Promise<ScorerConfig["runtime"]> {
  switch (bundle.runtime) {
    case "python":
      return pythonRuntime(bundle);
    case "onnx":
      return {
        kind: "onnx",
        models: (await onnxModels(bundle)).map((model) => ({ ...model, file: inside(bundle, model.file) })),
      };
  }
}

function pythonRuntime(bundle: ImageBundle): ScorerConfig["runtime"] {
  const { entryScript } = bundle;
  if (entryScript === undefined) throw bundleIncomplete(bundle.imageId, "it has no entry script");
  const env = workerEnvironment({ ...bundle, appRoot: imagePaths.appRoot }, imagePaths.environment);
  return {
    kind: "python",
    command: [imagePaths.python],
    // The only folder that can be written.
    env: { ...env, HOME: "/tmp" },
    appRoot: imagePaths.appRoot,
    entryScript,
  };
}

function inside({ appRoot }: ImageBundle, file: string): string {
  return join(imagePaths.appRoot, relative(appRoot, file));
}
