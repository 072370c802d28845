import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { silentLog } from "../platform/log.ts";
import { detectIsolation, type Isolation } from "../platform/sandbox.ts";
import type { CondaSettings } from "./conda/conda-channels.ts";
import type { EnvironmentRequest, EnvironmentService, PreparedEnvironment } from "./environment.ts";
import { createEnvironmentService } from "./environment-service.ts";
import type { Interpreter } from "./python-choice.ts";
import { findInterpreters } from "./python-discovery.ts";

const execute = promisify(execFile);

/** Kept between tests and runs: what is tested is not how fast the network is. */
export const SHARED_CACHE = join(tmpdir(), "slipway-environment-tests");

/** A port that nobody listens at: tests do not depend on which channels the network offers. */
const NOWHERE = "http://127.0.0.1:9";

export interface EnvironmentTestRoom {
  readonly folder: string;
  /** what was said since the last prepare began */
  readonly said: readonly string[];
  prepare(request: EnvironmentRequest, signal?: AbortSignal): Promise<PreparedEnvironment>;
  /** as after a restart of the control plane */
  reopen(): EnvironmentService;
  close(): Promise<void>;
}

export interface TestRoomOptions {
  readonly cacheFolder?: string;
  /** the only interpreters on the PATH; all of this machine if not given */
  readonly pythons?: readonly Interpreter[];
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly kinds?: readonly Isolation["kind"][];
  /** where conda channels are; nowhere if not given */
  readonly conda?: CondaSettings;
}

/** The real service with real uv, Python and index, in a temporary folder. */
export async function openEnvironmentTestRoom(options: TestRoomOptions = {}): Promise<EnvironmentTestRoom> {
  const base = await mkdtemp(join(tmpdir(), "environment-room-"));
  // As the data folder: others may pass, but not look.
  await chmod(base, 0o711);
  const folder = join(base, "environments");
  const never = new AbortController().signal;
  const isolation = await detectIsolation({
    ...{ probeCommand: ["/bin/true"], reach: [], hidden: [], signal: never },
    ...(options.kinds === undefined ? {} : { kinds: options.kinds }),
  });
  const env = { ...process.env, ...(options.pythons && (await onlyPythons(base, options.pythons))), ...options.env };
  const cacheFolder = options.cacheFolder ?? SHARED_CACHE;
  const conda = options.conda ?? { channelAlias: NOWHERE };
  const open = () => createEnvironmentService({ folder, cacheFolder, env, isolation, conda, log: silentLog });
  const service = open();
  const said: string[] = [];

  return {
    folder,
    said,
    reopen: open,
    prepare(request, signal = never) {
      said.length = 0;
      return service.prepare(request, { signal, say: (text) => said.push(text) });
    },
    async close() {
      await rm(base, { recursive: true, force: true });
    },
  };
}

/** Runs a program in an environment as a worker would: nothing of the machine's own packages. */
export async function runPython(root: string, program: string): Promise<string> {
  const { stdout } = await execute(join(root, "bin", "python"), ["-I", "-c", program], { cwd: "/" });
  return stdout.trim();
}

/** Every interpreter of this machine. */
export async function machinePythons(): Promise<readonly Interpreter[]> {
  return findInterpreters(process.env, new AbortController().signal);
}

/** A PATH with links to these interpreters in front of the system's programs, but no other Python and no uv. */
async function onlyPythons(base: string, pythons: readonly Interpreter[]) {
  const bin = join(base, "bin");
  await mkdir(bin);
  for (const [index, { path, version }] of pythons.entries()) {
    if (index === 0) await symlink(path, join(bin, "python3"));
    else await symlink(path, join(bin, `python${version.split(".").slice(0, 2).join(".")}`));
  }
  for (const program of ["gcc", "cc", "ld", "as"]) await symlink(join("/usr/bin", program), join(bin, program));
  return { PATH: bin, PYENV_ROOT: undefined, UV_PYTHON_INSTALL_DIR: join(base, "none") };
}
