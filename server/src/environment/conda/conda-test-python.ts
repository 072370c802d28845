import { lstat, readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import { machinePythons } from "../environment-test-room.ts";
import { minorOf } from "../python-choice.ts";
import { PREFIX_PLACEHOLDER, type TestFile, type TestPackage } from "./conda-test-channel.ts";

/** What a small Python does without. */
const LEFT_OUT =
  /^(test|tests|idlelib|tkinter|turtledemo|ensurepip|lib2to3|site-packages|dist-packages|__pycache__|config-.*)$/;

/**
 * The machine's own interpreter, packed as conda packs Python: programs, standard library, and the folder it was built for replaced
 * by a placeholder in text and in programs.
 */
export async function pythonPackage(wanted = "3.11", overrides: Partial<TestPackage> = {}): Promise<TestPackage> {
  // A distribution's own one looks for packages elsewhere.
  const found = (await machinePythons()).filter(({ prefix }) => prefix !== "/usr");
  const python = found.find(({ version }) => minorOf(version) === wanted) ?? found[0];
  if (python === undefined)
    throw new Error("No Python on this machine can be packed: install one beside the system's own.");
  const { prefix, version } = python;
  const minor = minorOf(version);
  const files: Record<string, TestFile> = {};
  const links: Record<string, string> = { "bin/python": `python${minor}`, "bin/python3": `python${minor}` };
  async function add(path: string): Promise<void> {
    const from = join(prefix, path);
    const found = await lstat(from);
    if (found.isDirectory()) {
      for (const name of await readdir(from)) if (!LEFT_OUT.test(name)) await add(join(path, name));
    } else if (found.isSymbolicLink()) {
      const target = await readlink(from);
      if (!target.startsWith("/")) links[path] = target;
    } else if (found.isFile()) files[path] = placed(await readFile(from), prefix, (found.mode & 0o111) !== 0);
  }
  await add(`bin/python${minor}`);
  await add(`lib/python${minor}`);
  for (const name of await readdir(join(prefix, "lib")))
    if (/^libpython3.*\.so/.test(name)) await add(join("lib", name));
  return {
    name: "python",
    version,
    build: "test_cpython",
    depends: ["__glibc >=2.17,<3.0.a0"],
    files,
    links,
    ...overrides,
  };
}

/** Text files name the placeholder instead of the folder; programs find their libraries from where they lie, as conda's do. */
function placed(content: Buffer, prefix: string, executable: boolean): TestFile {
  const text = content.toString("latin1");
  if (!text.includes(prefix)) return { content, executable };
  if (content.includes(0)) {
    const libraries = `${prefix}/lib\0`;
    const relative = "$ORIGIN/../lib".padEnd(libraries.length, "\0");
    return { content: Buffer.from(text.replaceAll(libraries, relative), "latin1"), executable };
  }
  return { content: Buffer.from(text.replaceAll(prefix, PREFIX_PLACEHOLDER), "latin1"), executable, prefix: "text" };
}

/** A Python that is none, for what never runs it. */
export function emptyPython(version: string): TestPackage {
  const minor = minorOf(version);
  return {
    ...{ name: "python", version, build: "empty_cpython" },
    files: {
      [`bin/python${minor}`]: { content: "#!/bin/sh\n", executable: true },
      [`lib/python${minor}/os.py`]: "",
    },
    links: { "bin/python": `python${minor}` },
  };
}

/** Files of a `noarch: python` package with one module, as an installer of Python packages knows it. */
export function pythonModule(name: string, version: string, source: string): NonNullable<TestPackage["files"]> {
  const info = `site-packages/${name}-${version}.dist-info`;
  const paths = [`${name}.py`, `${name}-${version}.dist-info/METADATA`, `${name}-${version}.dist-info/RECORD`];
  return {
    [`site-packages/${name}.py`]: source,
    [`${info}/METADATA`]: `Metadata-Version: 2.1\nName: ${name}\nVersion: ${version}\n`,
    [`${info}/RECORD`]: paths.map((path) => `${path},,\n`).join(""),
  };
}
