import { mkdir } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { runCommand } from "../platform/child-process.ts";
import { SAFE_ENV } from "../platform/sandbox.ts";

/** Where a tree lies in an image; tracebacks and bytecode are the same whatever folder it was made in. */
export const TREE_PATH_IN_IMAGES = "/opt/env";

/**
 * Compiles each `.py` file of a tree but those of test suites, unless the cache has it: entries are found by the source's content,
 * so the same file of another environment or data folder is never compiled twice. "Unchecked" bytecode has no times in it, which
 * makes it the same on every machine. Compiling runs no code of the packages.
 *
 * Arguments: tree, cache, path in images, index and count of the processes that share the work.
 */
const COMPILE = `
import hashlib, importlib.util, os, py_compile, sys
tree, cache, prefix, index, count = sys.argv[1:4] + [int(text) for text in sys.argv[4:6]]
cache = os.path.join(cache, importlib.util.MAGIC_NUMBER[:2].hex() + "-" + sys.implementation.cache_tag)

def sources():
    for folder, folders, files in os.walk(os.path.join(tree, "lib")):
        folders[:] = sorted(name for name in folders if name not in ("tests", "__pycache__"))
        for name in sorted(files):
            if name.endswith(".py"):
                yield os.path.join(folder, name)

def place(entry, target):
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.lexists(target):
        # Never written to: it may be a link to a file of the package cache.
        os.unlink(target)
    try:
        os.link(entry, target)
    except FileNotFoundError:
        raise
    except OSError:
        with open(entry, "rb") as source, open(target, "wb") as copy:
            copy.write(source.read())

for number, source in enumerate(sources()):
    if number % count != index or os.path.islink(source):
        continue
    shown = prefix + source[len(tree):]
    with open(source, "rb") as file:
        key = hashlib.sha256(shown.encode() + b"\\0" + file.read()).hexdigest()
    entry = os.path.join(cache, key[:2], key[2:])
    target = importlib.util.cache_from_source(source)
    try:
        place(entry, target)
        continue
    except FileNotFoundError:
        pass
    os.makedirs(os.path.dirname(entry), exist_ok=True)
    try:
        py_compile.compile(source, entry, shown, True, -1, py_compile.PycInvalidationMode.UNCHECKED_HASH)
    except (py_compile.PyCompileError, RecursionError, MemoryError, ValueError):
        # Not every file is a program for this Python; importing it will tell.
        continue
    place(entry, target)
`;

export interface BytecodeOptions {
  readonly interpreter: string;
  readonly pythonVersion: string;
  readonly tree: string;
  readonly cacheFolder: string;
  /** puts a command into a sandbox, for an interpreter that is not the machine's own; `index` tells the processes apart */
  wrap?(command: readonly string[], env: Readonly<Record<string, string>>, index: number): Promise<readonly string[]>;
}

/** @returns the problem, if some files could not be compiled: the environment works without, but starts slower */
export async function compileBytecode(options: BytecodeOptions, signal: AbortSignal): Promise<string | undefined> {
  const [, minor = 0] = options.pythonVersion.split(".").map(Number);
  // Bytecode without times in it came with 3.7 (PEP 552).
  if (minor < 7) return undefined;
  await mkdir(options.cacheFolder, { recursive: true });
  const count = Math.min(availableParallelism(), 8);
  // Sets of constants are stored in the order of their hashes.
  const env = { LANG: "C.UTF-8", PYTHONHASHSEED: "0" };
  const results = await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const program = [options.interpreter, "-S", "-s", "-B", "-W", "ignore", "-c", COMPILE];
      const work = [options.tree, options.cacheFolder, TREE_PATH_IN_IMAGES, String(index), String(count)];
      const command = ["/bin/sh", "-c", 'umask 022 && exec "$@"', "sh", ...program, ...work];
      const wrapped = (await options.wrap?.(command, env, index)) ?? command;
      return runCommand(wrapped, { env: options.wrap === undefined ? env : SAFE_ENV, cwd: "/", signal });
    }),
  );
  const failed = results.find(({ exitCode }) => exitCode !== 0);
  return failed === undefined ? undefined : (failed.tail.at(-1) ?? "the compiler was stopped");
}
