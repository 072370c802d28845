// A virtual environment for a script, made in seconds.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { indexSettings } from "../test-python.js";

const run = promisify(execFile);

/** @returns the path of its interpreter */
export async function makePythonEnvironment(folder, packages, signal) {
  const [python, uv] = ["python", "uv"].map((program) => join(folder, "bin", program));
  await run("python3", ["-m", "venv", folder], { signal });
  // pip only fetches uv: for everything else uv is several times faster.
  await run(python, ["-m", "pip", "install", "--quiet", "--no-compile", "--disable-pip-version-check", "uv"], {
    signal,
  });
  const env = indexSettings(process.env);
  await run(uv, ["pip", "install", "--quiet", "--python", python, ...packages], { env, signal });
  return python;
}
