import { mkdir, rm, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { ensureGenuineClient, makePythonEnvironment } from "./checkout-scripts.ts";

/** What trains the model is what loads it, in every server. */
export const SCIKIT_LEARN = ["scikit-learn==1.7.2", "joblib==1.5.2", "numpy==2.3.4"] as const;

/** The same release of ONNX Runtime as the scorer's, in Python. */
export const ONNX = ["onnxruntime==1.30.0"] as const;

/** Makes ONNX models. */
export const ONNX_TOOLS = ["onnx==1.23.2", "skl2onnx==1.20.0", ...SCIKIT_LEARN] as const;

/** The genuine clients of the Open Inference Protocol. */
export const INFERENCE_CLIENTS = ["tritonclient[http,grpc]==2.73.0"] as const;

/** The folder `bin` of an environment with these packages: made once, kept in the cache folder. @throws with the reason */
export async function pythonPrograms(packages: readonly string[]): Promise<string> {
  const folder = join(cacheFolder(), "bench", packages.join("-").replaceAll(/[^\w.]+/g, "_"));
  const complete = join(folder, "complete");
  if (!(await exists(complete))) {
    await rm(folder, { recursive: true, force: true });
    await mkdir(dirname(folder), { recursive: true });
    await makePythonEnvironment(folder, packages);
    await mkdir(complete);
  }
  return join(folder, "bin");
}

/** Makes the genuine azureml-core known to the harness of e2e, and returns its interpreter. @throws with the reason */
export function genuineClient(): string {
  const { python, reason } = ensureGenuineClient();
  if (python === undefined) throw new Error(`azureml-core cannot be installed: ${reason}`);
  process.env.SLIPWAY_TEST_AZUREML_PYTHON = python;
  return python;
}

export function cacheFolder(): string {
  const { SLIPWAY_CACHE, XDG_CACHE_HOME } = process.env;
  return SLIPWAY_CACHE || join(XDG_CACHE_HOME || join(homedir(), ".cache"), "slipway");
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
