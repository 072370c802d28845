import { readdir, realpath, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { runCommand } from "../platform/child-process.ts";
import type { Interpreter } from "./python-choice.ts";

type Variables = Readonly<Record<string, string | undefined>>;

const PROBE_TIMEOUT_MS = 10_000;

/** Runs isolated from site-packages, so nothing of a user is imported. `_base_executable` leads out of virtual environments. */
const PROBE = `
import json, os, platform, sys, sysconfig
triple = str(sysconfig.get_config_var("HOST_GNU_TYPE")) + str(sysconfig.get_config_var("SOABI"))
print(json.dumps({
    "path": os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable),
    "prefix": sys.base_prefix,
    "version": "%d.%d.%d" % sys.version_info[:3],
    "platform": sysconfig.get_platform() + ("-musl" if "musl" in triple else ""),
    "cpython": platform.python_implementation() == "CPython",
}))
`;

/**
 * The CPython interpreters (3.6 or newer) of this machine: those on the PATH in its order, so that the first is what `python3`
 * means here, then those of pyenv and uv.
 */
export async function findInterpreters(env: Variables, signal: AbortSignal): Promise<readonly Interpreter[]> {
  const candidates = await candidatePaths(env);
  const probed = await Promise.all(candidates.map((path) => probe(path, env, signal)));
  const found = new Map<string, Interpreter>();
  for (const interpreter of probed) {
    if (interpreter !== undefined && !found.has(interpreter.path)) found.set(interpreter.path, interpreter);
  }
  return [...found.values()];
}

async function candidatePaths(env: Variables): Promise<readonly string[]> {
  const home = env.HOME ?? "";
  const folders = (env.PATH ?? "").split(":").filter((folder) => folder.startsWith("/"));
  const onPath: string[] = [];
  const pyenvRoots = new Set(env.PYENV_ROOT === undefined ? [] : [env.PYENV_ROOT]);
  for (const folder of folders) {
    const names = (await readdir(folder).catch(() => [])).filter((name) => /^python3(\.\d+)?$/.test(name)).sort();
    const isShims = folder.endsWith("/shims");
    if (isShims && names.length > 0) pyenvRoots.add(dirname(folder));
    // A shim of a version that is not selected only fails; the versions themselves follow below.
    onPath.push(...names.filter((name) => !isShims || name === "python3").map((name) => join(folder, name)));
  }
  const uvManaged =
    env.UV_PYTHON_INSTALL_DIR ?? join(env.XDG_DATA_HOME ?? join(home, ".local", "share"), "uv", "python");
  const managed = await Promise.all(
    [...[...pyenvRoots].map((root) => join(root, "versions")), uvManaged].map(installedIn),
  );
  return distinctFiles([...onPath, ...managed.flat()]);
}

async function installedIn(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder).catch(() => []);
  return names.sort().map((name) => join(folder, name, "bin", "python3"));
}

async function distinctFiles(paths: readonly string[]): Promise<readonly string[]> {
  const seen = new Set<string>();
  const distinct: string[] = [];
  for (const path of paths) {
    const real = await realpath(path).catch(() => undefined);
    if (real === undefined || seen.has(real)) continue;
    seen.add(real);
    distinct.push(path);
  }
  return distinct;
}

async function probe(path: string, env: Variables, signal: AbortSignal): Promise<Interpreter | undefined> {
  try {
    const result = await runCommand([path, "-I", "-S", "-B", "-c", PROBE], {
      env: { PATH: env.PATH, HOME: env.HOME, PYENV_ROOT: env.PYENV_ROOT, PYENV_VERSION: env.PYENV_VERSION },
      signal: AbortSignal.any([signal, AbortSignal.timeout(PROBE_TIMEOUT_MS)]),
    });
    if (result.exitCode !== 0) return undefined;
    const said = JSON.parse(result.stdout) as Omit<Interpreter, "shared"> & { readonly cpython: boolean };
    const [major = 0, minor = 0] = said.version.split(".").map(Number);
    if (!said.cpython || major !== 3 || minor < 6) return undefined;
    const { path: real, prefix, version, platform } = said;
    return { path: real, prefix, version, platform, shared: await isShared(real) };
  } catch {
    signal.throwIfAborted();
    // Whatever it is, it is not a Python that can be used.
    return undefined;
  }
}

/** Every folder on the way can be entered by others. */
async function isShared(path: string): Promise<boolean> {
  for (let current = path; current !== "/"; current = dirname(current)) {
    const { mode } = await stat(current);
    if ((mode & 0o001) === 0) return false;
  }
  return true;
}
