import { access, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { runCommand } from "../../platform/child-process.ts";
import { type Isolation, SAFE_ENV } from "../../platform/sandbox.ts";
import { compileBytecode, TREE_PATH_IN_IMAGES } from "../bytecode.ts";
import { condaPackageInvalid, installFailed } from "../environment-errors.ts";
import { publishTree, type TreeRecord } from "../environment-tree.ts";
import { type Interpreter, minorOf } from "../python-choice.ts";
import type { RunContext, Uv } from "../uv.ts";
import { uvFailure, uvFailureContext } from "../uv-failure.ts";
import { adoptPrefix } from "./adopt-prefix.ts";
import type { CondaPackage } from "./conda-lock.ts";
import type { CondaTarget } from "./conda-target.ts";
import { foreignPython, ownPython, venvSettings } from "./pip-python.ts";
import type { Rattler } from "./rattler.ts";

export interface CondaTreeRequest {
  readonly record: TreeRecord;
  readonly target: CondaTarget;
  readonly destination: string;
  /** empty folder on the same file system as `destination` */
  readonly workFolder: string;
  /** what lies in the tree: conda packages, or pip's packages on top of a tree of conda packages */
  readonly content: CondaContent | PipContent;
  /** as OCI names it; undefined for this machine's */
  readonly foreignArchitecture: string | undefined;
  readonly isolation: Isolation;
  /** of this machine: one of the same minor version compiles for everybody */
  readonly interpreters: readonly Interpreter[];
  readonly bytecodeCache: string;
  /** bytecode made by the Python of these conda packages: trusted by nobody else */
  readonly ownBytecodeCache: string;
}

export interface CondaContent {
  readonly kind: "conda";
  readonly rattler: Rattler;
  readonly packages: readonly CondaPackage[];
}

export interface PipContent {
  readonly kind: "pip";
  readonly uv: Uv;
  readonly base: string;
  readonly lock: string;
  readonly options: readonly string[];
  readonly indexDescription: string;
}

/**
 * Makes a complete environment with a Python of its own. Everything that reads or runs what others packed happens isolated in a
 * folder beside; the result is copied from there, compiled, and moved to its place in one step. Files that name their own folder
 * name the place in images.
 *
 * @returns what a person should know
 */
export async function makeCondaTree(request: CondaTreeRequest, context: RunContext): Promise<readonly string[]> {
  const { workFolder, record, content, target } = request;
  const prefix = join(workFolder, "prefix");
  const tree = join(workFolder, "tree");
  await mkdir(prefix);
  if (content.kind === "conda") {
    const { rattler, packages } = content;
    await rattler.install({ packages, target, workFolder, prefix, prefixInFiles: TREE_PATH_IN_IMAGES }, context);
  } else {
    await installPip(prefix, content, request, context);
  }
  const python = interpreterIn(prefix, record.pythonVersion, target);
  if (!(await exists(python.path))) throw condaPackageInvalid("its package python has no program bin/python.");
  const trusted = request.interpreters.find(({ version }) => minorOf(version) === minorOf(record.pythonVersion));
  const problems: (string | undefined)[] = [];
  const isForeign = request.foreignArchitecture !== undefined;
  if (trusted === undefined && isForeign) {
    problems.push(
      `no Python ${minorOf(record.pythonVersion)} is installed here, and the environment's own runs elsewhere.`,
    );
  } else if (trusted === undefined) problems.push(await compileIsolated(prefix, python, request, context.signal));
  const keepBytecode = trusted === undefined;
  const leftOut = await adoptPrefix(
    { from: prefix, to: tree, prefixInFiles: TREE_PATH_IN_IMAGES, keepBytecode },
    context.signal,
  );
  if (trusted !== undefined) {
    const cacheFolder = request.bytecodeCache;
    const { path: interpreter, version: pythonVersion } = trusted;
    problems.push(await compileBytecode({ interpreter, pythonVersion, tree, cacheFolder }, context.signal));
  }
  await publishTree(tree, record, request.destination, context.signal);
  return [
    ...(leftOut.length === 0 ? [] : [`Left out, since it is no plain file or leads out: ${shown(leftOut)}.`]),
    ...problems.flatMap((problem) => (problem ? [`Not everything could be compiled ahead of time: ${problem}`] : [])),
  ];
}

export function interpreterIn(prefix: string, version: string, target: CondaTarget): Interpreter {
  return { path: join(prefix, "bin", "python"), prefix, version, platform: target.subdir, shared: true };
}

/** The copy is made inside the sandbox, whose user must own what uv replaces. */
async function installPip(prefix: string, content: PipContent, request: CondaTreeRequest, context: RunContext) {
  const { uv, base, lock, options, indexDescription } = content;
  const { workFolder, record, target, foreignArchitecture, interpreters } = request;
  const shell = (script: string, ...args: readonly string[]) =>
    runShell(script, [base, prefix, ...args], { ...request, prefix, base }, context.signal);
  await shell('cp -R -P "$1/." "$2/"');
  const foreign =
    foreignArchitecture === undefined
      ? undefined
      : foreignPython(prefix, record.pythonVersion, foreignArchitecture, interpreters);
  const python = foreign ?? ownPython(interpreterIn(prefix, record.pythonVersion, target));
  if (foreign !== undefined) {
    const lend = 'cd "$2" && mv bin/python bin/.python && ln -s "$3" bin/python && printf %s "$4" > pyvenv.cfg';
    await shell(lend, foreign.host.path, venvSettings(foreign.host));
  }
  const { interpreter, readable } = python;
  const result = await uv.runIsolated(
    [
      ...["pip", "install", "--python", interpreter.path, "--break-system-packages", "--no-deps"],
      ...["--require-hashes", ...python.arguments, ...options, "--requirement", "-"],
    ],
    lock,
    { cache: "builds", interpreter, readable, home: join(workFolder, "home"), writable: [prefix] },
    context,
  );
  if (!result.ok) throw uvFailure(result.output, uvFailureContext(interpreter, indexDescription));
  if (foreign !== undefined) await shell('cd "$2" && rm pyvenv.cfg && mv -f bin/.python bin/python');
}

async function runShell(
  script: string,
  args: readonly string[],
  { isolation, workFolder, prefix, base }: CondaTreeRequest & { readonly prefix: string; readonly base: string },
  signal: AbortSignal,
): Promise<void> {
  const home = join(workFolder, "home");
  const command = await isolation.wrap({
    command: ["/bin/sh", "-c", `umask 022 && ${script}`, "sh", ...args],
    env: { ...SAFE_ENV },
    owner: "package builds",
    readable: [base],
    writable: [prefix],
    workingFolder: "/",
    home,
  });
  const { exitCode, tail } = await runCommand(command, { env: SAFE_ENV, cwd: "/", signal });
  await isolation.discardHome(home);
  if (exitCode !== 0) throw installFailed(tail.slice(-3).join(" "));
}

async function compileIsolated(
  prefix: string,
  python: Interpreter,
  { isolation, content, workFolder, ownBytecodeCache }: CondaTreeRequest,
  signal: AbortSignal,
): Promise<string | undefined> {
  const homes = join(workFolder, "compile");
  const home = (index: number) => join(homes, String(index));
  const owner = content.kind === "conda" ? "conda packages" : "package builds";
  const cacheFolder = content.kind === "conda" ? join(ownBytecodeCache, "conda") : join(ownBytecodeCache, "pip");
  const used: number[] = [];
  try {
    return await compileBytecode(
      {
        interpreter: python.path,
        pythonVersion: python.version,
        tree: prefix,
        cacheFolder,
        wrap(command, env, index) {
          used.push(index);
          return isolation.wrap({
            command,
            env,
            owner,
            readable: [],
            writable: [prefix, cacheFolder],
            workingFolder: "/",
            home: home(index),
          });
        },
      },
      signal,
    );
  } finally {
    for (const index of used) await isolation.discardHome(home(index));
  }
}

function shown(paths: readonly string[]): string {
  return paths.length <= 5 ? paths.join(", ") : `${paths.slice(0, 5).join(", ")} and ${paths.length - 5} more`;
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
