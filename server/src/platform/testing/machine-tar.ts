import { execFile } from "node:child_process";
import { realpathSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** The machine's own, not that of a virtual environment. */
const PYTHON = "/usr/bin/python3";
const SHELL = "/bin/sh";

/**
 * Writes the lowest layer of an image: this machine's own shell and Python, and the libraries of both and of Node. Real enough for an
 * engine, made in a second, from no network; the same files give the same bytes.
 */
export async function writeMachineTar(tar: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "slipway-machine-"));
  try {
    const root = join(folder, "root");
    for (const path of ["etc", "tmp", "run", "proc", "sys", "dev", "var", "usr/lib64"]) {
      await mkdir(join(root, path), { recursive: true });
    }
    for (const name of ["bin", "lib", "lib64", "sbin"]) await symlink(`usr/${name}`, join(root, name));
    await writeFile(join(root, "etc", "passwd"), "root:x:0:0:root:/:/bin/sh\n");
    const files = await machineFiles();
    const same = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner", "--mode=u+rwX,go+rX"];
    await run("tar", ["--create", "--file", tar, ...same, "--directory", root, ".", "--directory", "/", ...files]);
    await run("tar", ["--delete", "--file", tar, "./tmp/"]);
    await run("tar", ["--append", "--file", tar, "--mtime=@0", "--mode=1777", "--directory", root, "./tmp"]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Paths without their first slash; links and what they lead to. */
async function machineFiles(): Promise<string[]> {
  const code = "import sysconfig; print(sysconfig.get_path('stdlib'))";
  const library = (await run(PYTHON, ["-c", code])).stdout.trim();
  const compiled = join(library, "lib-dynload");
  const modules = (await readdir(compiled)).filter((name) => name.endsWith(".so")).map((name) => join(compiled, name));
  const programs = [SHELL, PYTHON].map((path) => realpathSync(path));
  const { stdout } = await run("ldd", [...programs, process.execPath, ...modules], { maxBuffer: 16 * 1024 * 1024 });
  const libraries = [...stdout.matchAll(/(?:=> |^\s+)(\/\S+)/gm)].map(([, path]) => path ?? "");
  const all = [SHELL, ...programs, library, ...libraries, ...libraries.map((path) => realpathSync(path))];
  return [...new Set(all.map((path) => path.replace(/^\/(bin|lib|lib64)\//, "/usr/$1/").slice(1)))].sort();
}
