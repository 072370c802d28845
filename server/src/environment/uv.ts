import { chmod, copyFile, mkdir, rename, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type CommandResult, runCommand } from "../platform/child-process.ts";
import { newShortId } from "../platform/ids.ts";
import { type Isolation, SAFE_ENV } from "../platform/sandbox.ts";
import type { IndexSettings } from "./index-settings.ts";
import type { Interpreter } from "./python-choice.ts";
import { progressLine } from "./uv-output.ts";

export interface RunContext {
  readonly signal: AbortSignal;
  say(text: string): void;
}

export interface UvResult {
  readonly ok: boolean;
  readonly stdout: string;
  /** every line, for explanations */
  readonly output: readonly string[];
}

export interface UvOptions {
  readonly binary: string;
  readonly cacheFolder: string;
  /** a folder that programs under another user id can reach; the cache folder lies in a private place */
  readonly reachableFolder: string;
  readonly settings: IndexSettings;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly isolation: Isolation;
}

/** What an isolated run may touch: nothing else of this machine is writable for it. */
export interface IsolatedRun {
  /** Resolving and building have a cache each: uv drops what was built when it resolves the same source distribution again. */
  readonly cache: "metadata" | "builds";
  readonly interpreter: Interpreter;
  /** made anew and deleted by the caller */
  readonly home: string;
  readonly writable: readonly string[];
  /** beside the interpreter */
  readonly readable?: readonly string[];
}

export interface Uv {
  /** Runs no code of packages. Its cache is trusted: only files whose hashes were checked get into it. */
  run(args: readonly string[], input: string, context: RunContext): Promise<UvResult>;
  /**
   * May run code of packages (building source distributions), so it runs isolated and with a cache of its own: what such code
   * leaves behind reaches only environments that build packages, too.
   */
  runIsolated(args: readonly string[], input: string, isolated: IsolatedRun, context: RunContext): Promise<UvResult>;
}

const MAX_OUTPUT_LINES = 5000;

export function createUv(options: UvOptions): Uv {
  const { binary, cacheFolder, reachableFolder, settings, env, isolation } = options;
  const ours = (cache: string, linkMode: "hardlink" | "copy") => ({
    ...settings.variables,
    UV_CACHE_DIR: cache,
    UV_LINK_MODE: linkMode,
    // Only when asked to: `uv python install`
    UV_PYTHON_DOWNLOADS: "manual",
    NO_COLOR: "1",
    LANG: "C.UTF-8",
  });

  return {
    async run(args, input, context) {
      const variables = {
        HOME: env.HOME,
        PATH: env.PATH,
        XDG_DATA_HOME: env.XDG_DATA_HOME,
        ...ours(join(cacheFolder, "wheels"), "hardlink"),
      };
      return collect(readableByAll([binary, ...args]), variables, input, context);
    },

    async runIsolated(args, input, { cache, interpreter, home, writable, readable = [] }, context) {
      if (isolation.kind === "none") {
        const folder = join(cacheFolder, cache);
        await mkdir(home, { recursive: true });
        const variables = { ...ours(folder, "copy"), PATH: env.PATH, HOME: home };
        return collect(readableByAll([binary, ...args]), variables, input, tellingOfBuilds(context, isolation));
      }
      const reachable = isolation.kind === "bubblewrap" ? cacheFolder : reachableFolder;
      const program = isolation.kind === "bubblewrap" ? binary : await copyOnce(binary, join(reachableFolder, "uv"));
      const folder = join(reachable, cache);
      await mkdir(folder, { recursive: true });
      const command = await isolation.wrap({
        command: readableByAll([program, ...args]),
        env: { PATH: SAFE_ENV.PATH ?? "", ...ours(folder, "copy") },
        owner: "package builds",
        readable: [program, interpreter.prefix, dirname(interpreter.path), ...readable, ...settings.paths],
        writable: [folder, ...writable],
        workingFolder: "/",
        home,
      });
      try {
        return await collect(command, SAFE_ENV, input, context);
      } finally {
        await isolation.discardHome(home);
      }
    },
  };
}

/** Named by size and time of the original, so that another version is another file. */
async function copyOnce(binary: string, folder: string): Promise<string> {
  const { size, mtimeMs } = await stat(binary);
  const copy = join(folder, `uv-${size}-${Math.trunc(mtimeMs)}`);
  if (await stat(copy).catch(() => undefined)) return copy;
  await mkdir(folder, { recursive: true });
  const temporary = `${copy}.${newShortId()}.new`;
  await copyFile(binary, temporary);
  await chmod(temporary, 0o755);
  await rename(temporary, copy);
  return copy;
}

/** People should know when code of packages runs with our rights. */
function tellingOfBuilds(context: RunContext, isolation: Isolation): RunContext {
  let told = false;
  return {
    signal: context.signal,
    say(text) {
      if (text.startsWith("Building ") && !told) {
        told = true;
        context.say(`Packages are built without a sandbox here. ${isolation.description}`);
      }
      context.say(text);
    },
  };
}

async function collect(
  command: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  input: string,
  context: RunContext,
): Promise<UvResult> {
  const output: string[] = [];
  const result: CommandResult = await runCommand(command, {
    env,
    input,
    cwd: "/",
    signal: context.signal,
    onLine(line) {
      if (output.length < MAX_OUTPUT_LINES) output.push(line);
      const progress = progressLine(line);
      if (progress !== undefined) context.say(progress);
    },
  });
  return { ok: result.exitCode === 0, stdout: result.stdout, output };
}

/** Whatever our own mask is: workers of other users read what is installed. */
function readableByAll(command: readonly string[]): readonly string[] {
  return ["/bin/sh", "-c", 'umask 022 && exec "$@"', "sh", ...command];
}
