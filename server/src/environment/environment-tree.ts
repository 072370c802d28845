import { access, chmod, lstat, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errnoCode } from "../platform/errors.ts";
import { compileBytecode } from "./bytecode.ts";
import { platformArguments } from "./foreign-interpreter.ts";
import { formatLock, type LockedPackage, parseLock } from "./lock.ts";
import { type Interpreter, minorOf } from "./python-choice.ts";
import type { RunContext, Uv } from "./uv.ts";
import { uvFailure, uvFailureContext } from "./uv-failure.ts";
import { explainFailure } from "./uv-output.ts";

export interface TreeRequest {
  readonly id: string;
  readonly lock: string;
  readonly options: readonly string[];
  readonly interpreter: Interpreter;
  /** empty folder on the same file system as `destination` */
  readonly workFolder: string;
  readonly destination: string;
  readonly bytecodeCache: string;
  /** undefined only when the lock is empty */
  readonly uv: Uv | undefined;
  readonly indexDescription: string;
}

/** Lies in a complete tree only. */
export interface TreeRecord {
  readonly id: string;
  readonly pythonVersion: string;
  readonly platform: string;
  readonly lock: string;
  /** the conda packages in it; not there without */
  readonly condaLock?: string;
}

const RECORD_FILE = "environment.json";
/** When and how uv built something; it would differ from build to build. */
export const UV_NOTES = /\/uv_(build|cache)\.json$/;

/**
 * Makes a complete tree beside its destination and moves it there in one step, so a tree is either whole or not there.
 *
 * @returns what a person should know, for instance that files could not be compiled
 */
export async function makeTree(request: TreeRequest, context: RunContext): Promise<readonly string[]> {
  const tree = join(request.workFolder, "tree");
  await layOut(tree, request.interpreter);
  if (request.uv !== undefined) await install(tree, request, request.uv, context);
  await rm(join(tree, ".lock"), { force: true });
  const { interpreter, bytecodeCache } = request;
  const problem = await compileBytecode(
    { interpreter: interpreter.path, pythonVersion: interpreter.version, tree, cacheFolder: bytecodeCache },
    context.signal,
  );
  const record: TreeRecord = {
    id: request.id,
    pythonVersion: interpreter.version,
    platform: interpreter.platform,
    lock: request.lock,
  };
  await publishTree(tree, record, request.destination, context.signal);
  return problem === undefined ? [] : [`Not everything could be compiled ahead of time: ${problem}`];
}

/** Makes a finished tree visible, in one step. */
export async function publishTree(tree: string, record: TreeRecord, destination: string, signal: AbortSignal) {
  await writeFile(join(tree, RECORD_FILE), `${JSON.stringify(record, null, 2)}\n`, { mode: 0o644 });
  signal.throwIfAborted();
  await moveInto(tree, destination);
}

/** @returns undefined when there is no complete tree with a working interpreter */
export async function readTree(destination: string): Promise<TreeRecord | undefined> {
  try {
    await access(join(destination, "bin", "python"));
    return JSON.parse(await readFile(join(destination, RECORD_FILE), "utf8")) as TreeRecord;
  } catch (error) {
    if (errnoCode(error) === "ENOENT" || errnoCode(error) === "ENOTDIR") return undefined;
    throw error;
  }
}

/** A virtual environment (PEP 405) without absolute paths but the interpreter's. `relocatable` is what uv goes by for scripts. */
async function layOut(tree: string, interpreter: Interpreter): Promise<void> {
  const minor = minorOf(interpreter.version);
  const folders = ["", "bin", "lib", `lib/python${minor}`, `lib/python${minor}/site-packages`];
  for (const folder of folders) {
    await mkdir(join(tree, folder));
    // Not left to our own mask: workers of other users read the tree.
    await chmod(join(tree, folder), 0o755);
  }
  await symlink("lib", join(tree, "lib64"));
  await symlink(interpreter.path, join(tree, "bin", "python"));
  for (const name of ["python3", `python${minor}`]) await symlink("python", join(tree, "bin", name));
  const settings = {
    home: dirname(interpreter.path),
    "include-system-site-packages": "false",
    version_info: interpreter.version,
    relocatable: "true",
  };
  const lines = Object.entries(settings).map(([key, value]) => `${key} = ${value}\n`);
  await writeFile(join(tree, "pyvenv.cfg"), lines.join(""), { mode: 0o644 });
}

/**
 * Wheels go into the tree by hard links from the trusted cache. What exists only as source is built isolated into a folder of its
 * own, which is then copied: code of packages never sees the tree or the cache, and after this no program of the tree is run.
 */
async function install(tree: string, request: TreeRequest, uv: Uv, context: RunContext): Promise<void> {
  const wheels = new Map(parseLock(request.lock).map((one) => [one.name, one]));
  const sources: LockedPackage[] = [];
  for (;;) {
    const result = await uv.run(
      [
        ...["pip", "install", "--python", join(tree, "bin", "python"), "--no-deps", "--no-build", "--require-hashes"],
        ...[...platformArguments(request.interpreter), ...request.options, "--requirement", "-"],
      ],
      formatLock([...wheels.values()]),
      context,
    );
    if (result.ok) break;
    const reason = explainFailure(result.output);
    const source = reason.kind === "sourceOnly" ? wheels.get(reason.name) : undefined;
    if (source === undefined || request.interpreter.foreign !== undefined)
      throw uvFailure(result.output, failureContext(request));
    sources.push(source);
    wheels.delete(source.name);
    if (wheels.size === 0) break;
  }
  if (sources.length > 0) await buildSources(tree, sources, request, uv, context);
}

async function buildSources(
  tree: string,
  sources: readonly LockedPackage[],
  request: TreeRequest,
  uv: Uv,
  context: RunContext,
): Promise<void> {
  const built = join(request.workFolder, "built");
  await mkdir(built);
  const result = await uv.runIsolated(
    [
      ...["pip", "install", "--python", request.interpreter.path, "--target", join(built, "packages"), "--no-deps"],
      ...["--require-hashes", ...request.options, "--requirement", "-"],
    ],
    formatLock(sources),
    { cache: "builds", interpreter: request.interpreter, home: join(request.workFolder, "home"), writable: [built] },
    context,
  );
  if (!result.ok) throw uvFailure(result.output, failureContext(request));
  const target = sitePackages(tree, minorOf(request.interpreter.version));
  for (const name of (await readdir(join(built, "packages"))).sort()) {
    // Scripts would name the folder that they were built in; nothing that is served needs them.
    if (name === "bin" || name === ".lock") continue;
    await copyPlain(join(built, "packages", name), join(target, name));
  }
}

/** Copies files and folders only: a link or a device that a build left could lead out of the tree. What is there stays. */
async function copyPlain(from: string, to: string): Promise<void> {
  const found = await lstat(from);
  if (found.isDirectory()) {
    await mkdir(to, { recursive: true });
    await chmod(to, 0o755);
    for (const name of (await readdir(from)).sort()) await copyPlain(join(from, name), join(to, name));
  } else if (found.isFile() && !UV_NOTES.test(from)) {
    try {
      await writeFile(to, await readFile(from), { flag: "wx" });
      await chmod(to, (found.mode & 0o100) === 0 ? 0o644 : 0o755);
    } catch (error) {
      if (errnoCode(error) !== "EEXIST") throw error;
    }
  }
}

async function moveInto(tree: string, destination: string): Promise<void> {
  await mkdir(dirname(destination), { recursive: true, mode: 0o755 });
  try {
    await rename(tree, destination);
  } catch (error) {
    if (errnoCode(error) !== "ENOTEMPTY" && errnoCode(error) !== "EEXIST") throw error;
    // Somebody else made the same one at the same time, or the old one lost its interpreter.
    if ((await readTree(destination)) !== undefined) return;
    await rm(destination, { recursive: true, force: true });
    await rename(tree, destination);
  }
}

export function sitePackages(tree: string, minor: string): string {
  return join(tree, "lib", `python${minor}`, "site-packages");
}

function failureContext({ interpreter, indexDescription }: TreeRequest) {
  return uvFailureContext(interpreter, indexDescription);
}
