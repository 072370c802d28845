import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Header, pack } from "tar-stream";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createImportedEnvironments, type EnvironmentLayer } from "./imported-environments.ts";
import { minorOf } from "./python-choice.ts";
import { findInterpreters } from "./python-discovery.ts";

const run = promisify(execFile);
const context = { signal: AbortSignal.timeout(50_000), say: () => {} };
const [interpreter] = await findInterpreters(process.env, context.signal);
const minor = interpreter === undefined ? "3.11" : minorOf(interpreter.version);

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-imported-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

type Member = Partial<Header> & { readonly name: string; readonly content?: string };

function layerOf(...members: readonly Member[]): EnvironmentLayer {
  return {
    id: "1234",
    at: "opt/env",
    async *read() {
      const tar = pack();
      for (const { content, ...header } of members) tar.entry(header, content ?? "");
      tar.finalize();
      yield* tar as AsyncIterable<Buffer>;
    },
    refuse: (member, reason) => new Error(`${member} ${reason}`),
  };
}

const folders = (...paths: readonly string[]): Member[] =>
  paths.map((path) => ({ name: `opt/env/${path}/`, type: "directory" }));
const packages = [
  ...folders("", "bin", "lib", `lib/python${minor}`, `lib/python${minor}/site-packages`),
  { name: "opt/env/bin/python3", type: "symlink", linkname: "python" } as const,
  { name: `opt/env/lib/python${minor}/site-packages/words.py`, content: "WORD = 'hello'\n" },
];

it("borrows this machine's Python, and waits for one that is not installed", async () => {
  expect(interpreter).toBeDefined();
  const layer = layerOf(...packages);
  const without = createImportedEnvironments({ folder, env: { PATH: join(folder, "nothing") } });
  const before = await without.ensure(layer, context);
  expect(before).toMatchObject({ pythonMinor: minor, runs: false });

  const here = createImportedEnvironments({ folder, env: process.env });
  const [after, same] = await Promise.all([here.ensure(layer, context), here.ensure(layer, context)]);
  expect(after).toEqual({ ...before, runs: true });
  expect(same).toEqual(after);
  for (const name of ["python", "python3"]) {
    const { stdout } = await run(join(after.root, "bin", name), ["-I", "-c", "import words; print(words.WORD)"]);
    expect(stdout).toBe("hello\n");
  }
  expect(await here.look(after.root)).toEqual(after);
});

it("leaves an environment its own Python", async () => {
  const own = { name: "opt/env/bin/python", mode: 0o755, content: "#!/bin/sh\necho its own\n" };
  const environments = createImportedEnvironments({ folder, env: process.env });
  const { root, runs } = await environments.ensure(layerOf(...packages, own), context);
  expect(runs).toBe(true);
  expect((await run(join(root, "bin", "python"))).stdout).toBe("its own\n");
  await expect(readFile(join(root, "pyvenv.cfg"))).rejects.toMatchObject({ code: "ENOENT" });
});

it("is whole or not there", async () => {
  const environments = createImportedEnvironments({ folder, env: process.env });
  const broken = layerOf(...packages, { name: "opt/env/../evil", content: "x" });
  await expect(environments.ensure(broken, context)).rejects.toThrow('opt/env/../evil leads out with ".."');
  await expect(stat(join(folder, "imported", "1234"))).rejects.toMatchObject({ code: "ENOENT" });
  expect((await environments.ensure(layerOf(...packages), context)).runs).toBe(true);
});
