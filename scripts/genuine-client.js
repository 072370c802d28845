// The genuine azureml-core in an environment of its own, kept in the cache folder outside the checkout.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

const PACKAGES = ["azureml-core==1.61.0.post4", "scikit-learn==1.7.2", "setuptools<81"];

/** @returns {{ python?: string, reason?: string }} an interpreter that can import azureml.core and sklearn */
export function ensureGenuineClient() {
  const cache = process.env.SLIPWAY_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "slipway");
  const folder = join(cache, "test", `azureml-${PACKAGES.join("-").replaceAll(/[^\w.]+/g, "_")}`);
  const python = join(folder, "bin", "python");
  if (existsSync(join(folder, "complete"))) return { python };
  console.log(`Installing ${PACKAGES.join(", ")} into ${folder} (once).`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(dirname(folder), { recursive: true });
  const steps = [
    ["python3", ["-m", "venv", folder]],
    [python, ["-m", "pip", "install", "--quiet", "uv"]],
    [join(folder, "bin", "uv"), ["pip", "install", "--quiet", "--python", python, "--compile-bytecode", ...PACKAGES]],
    [python, ["-W", "ignore", "-c", "import azureml.core, sklearn"]],
  ];
  for (const [program, args] of steps) {
    const { status, stderr, error } = spawnSync(program, args, { encoding: "utf8", env: indexSettings(process.env) });
    if (status !== 0)
      return { reason: `${program} ${args.join(" ")}: ${(error?.message ?? stderr).trim().split("\n").at(-1)}` };
  }
  mkdirSync(join(folder, "complete"));
  return { python };
}

/** uv has names of its own for pip's settings. */
export function indexSettings(env) {
  return {
    ...env,
    UV_DEFAULT_INDEX: env.UV_DEFAULT_INDEX ?? env.UV_INDEX_URL ?? env.PIP_INDEX_URL,
    UV_EXTRA_INDEX_URL: env.UV_EXTRA_INDEX_URL ?? env.PIP_EXTRA_INDEX_URL,
    SSL_CERT_FILE: env.SSL_CERT_FILE ?? env.PIP_CERT ?? env.REQUESTS_CA_BUNDLE,
  };
}
