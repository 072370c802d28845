// Python environments of the tests, each with genuine packages from PyPI, kept in the cache folder outside the checkout.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

/**
 * @param {string} name of the folder
 * @param {readonly string[]} packages with exact versions
 * @param {readonly string[]} modules what an interpreter must be able to import afterwards, each in a process of its own
 * @returns {{ python?: string, reason?: string }} an interpreter that has them, or why there is none
 */
export function ensurePython(name, packages, modules) {
  const cache = process.env.SLIPWAY_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "slipway");
  const folder = join(cache, "test", `${name}-${packages.join("-").replaceAll(/[^\w.]+/g, "_")}`);
  const python = join(folder, "bin", "python");
  if (existsSync(join(folder, "complete"))) return { python };
  console.log(`Installing ${packages.join(", ")} into ${folder} (once).`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(dirname(folder), { recursive: true });
  const steps = [
    ["python3", ["-m", "venv", folder]],
    [python, ["-m", "pip", "install", "--quiet", "uv"]],
    [join(folder, "bin", "uv"), ["pip", "install", "--quiet", "--python", python, "--compile-bytecode", ...packages]],
    ...modules.map((module) => [python, ["-W", "ignore", "-c", `import ${module}`]]),
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
