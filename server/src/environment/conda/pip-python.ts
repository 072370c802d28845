import { mkdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pythonNotAvailable } from "../environment-errors.ts";
import { interpreterFor, platformArguments } from "../foreign-interpreter.ts";
import { type Interpreter, minorOf } from "../python-choice.ts";

/** Who looks into an environment of conda packages for uv. */
export interface PipPython {
  readonly interpreter: Interpreter;
  /** what it needs beside its own folder */
  readonly readable: readonly string[];
  /** for uv: of which platform the packages are */
  readonly arguments: readonly string[];
}

/** The environment's own Python. */
export function ownPython(interpreter: Interpreter): PipPython {
  return { interpreter, readable: [], arguments: [] };
}

/**
 * A Python of this machine in the place of one that is made for another processor and cannot run here. A virtual environment of it
 * has the same layout, so that uv finds and replaces what lies there.
 *
 * @throws {AppError} PythonNotAvailable: none of the same minor version
 */
export function foreignPython(
  root: string,
  version: string,
  architecture: string,
  interpreters: readonly Interpreter[],
): PipPython & { readonly host: Interpreter } {
  const host = interpreters.find((one) => minorOf(one.version) === minorOf(version));
  if (host === undefined) {
    throw pythonNotAvailable(minorOf(version), [...new Set(interpreters.map((one) => one.version))]);
  }
  const { platform, foreign } = interpreterFor(architecture, host);
  const interpreter = {
    ...{ path: join(root, "bin", "python"), prefix: root, version: host.version, platform, shared: true },
    ...(foreign === undefined ? {} : { foreign }),
  };
  return {
    ...{ host, interpreter },
    readable: [host.prefix, dirname(host.path)],
    // What is built from source is built for this machine.
    arguments: ["--no-build", ...platformArguments(interpreter)],
  };
}

/** What makes a folder a virtual environment of this interpreter. */
export function venvSettings(host: Interpreter): string {
  return `home = ${dirname(host.path)}\ninclude-system-site-packages = false\nversion_info = ${host.version}\n`;
}

/** Such a virtual environment over the packages of a tree that is not changed. */
export async function lookInto(tree: string, folder: string, python: { readonly host: Interpreter }): Promise<void> {
  await mkdir(join(folder, "bin"), { recursive: true });
  await symlink(python.host.path, join(folder, "bin", "python"));
  await symlink(join(tree, "lib"), join(folder, "lib"));
  await writeFile(join(folder, "pyvenv.cfg"), venvSettings(python.host));
}
