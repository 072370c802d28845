import { execFile } from "node:child_process";
import { createReadStream } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ownArchitecture } from "../../platform/architecture.ts";
import { toAppError } from "../../platform/errors.ts";
import { provideNode } from "./node-binary.ts";
import { NODE_RELEASES, type NodeRelease } from "./node-release.ts";
import { createRuntimeTrees } from "./runtime-tree.ts";

const run = promisify(execFile);

describe("the programs that images bring along", () => {
  let folder: string;
  const said: string[] = [];
  const context = { signal: AbortSignal.timeout(170_000), say: (text: string) => said.push(text) };
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "slipway-runtime-"));
    said.length = 0;
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const trees = (place: string, env: NodeJS.ProcessEnv = process.env) =>
    createRuntimeTrees({ folder: place, cacheFolder: join(folder, "cache"), env });

  it("run by themselves", async () => {
    const { root } = await trees(join(folder, "trees")).scorer(ownArchitecture(), context);
    const main = join(root, "node_modules/@slipway/scoring/dist/main.js");
    // Nothing of this checkout is found from there, so all that is imported is in the tree.
    const failed = await run(join(root, "bin/node"), [main, folder], { env: {} }).catch((error) => error);
    expect(failed.stderr).toContain("scorer.json");
    expect(failed.stderr).not.toMatch(/ERR_|SyntaxError/);
  });

  it("have a name that says what is in them, and are made once", async () => {
    const one = await trees(join(folder, "one")).scorer(ownArchitecture(), context);
    const two = await trees(join(folder, "two")).scorer(ownArchitecture(), context);
    const again = await trees(join(folder, "one")).scorer(ownArchitecture(), context);
    expect([two.key, again]).toEqual([one.key, one]);
    expect(await readdir(join(folder, "one"))).toEqual([one.key]);
    expect(one.key).not.toBe((await trees(join(folder, "one")).onnx(ownArchitecture(), context)).key);
  });

  it("hold no sources, no tests and no types", async () => {
    const { root } = await trees(join(folder, "trees")).scorer(ownArchitecture(), context);
    const files = await readdir(root, { recursive: true });
    expect(files).toContain("node_modules/@slipway/python/slipway_worker/worker.py");
    expect(files.filter((file) => /\.ts$|\.map$|\.test\.|\/testing\/|\.pyc$/.test(file))).toEqual([]);
    expect(await readFile(join(root, "bin/scorer"), "utf8")).toMatch(/^#!\/bin\/sh\n/);
  });

  it.skipIf(process.getuid?.() !== 0)("are there whole or not at all when the disk is full", async () => {
    const small = join(folder, "small");
    await mkdir(small);
    await run("mount", ["-t", "tmpfs", "-o", "size=2m", "none", small]);
    try {
      const error = await trees(small)
        .scorer(ownArchitecture(), context)
        .catch((failure: unknown) => toAppError(failure));
      expect(error).toMatchObject({ code: "DiskFull" });
      expect(await readdir(small)).toEqual([]);
      await run("mount", ["-o", "remount,size=300m", small]);
      const { key } = await trees(small).scorer(ownArchitecture(), context);
      expect(await readdir(small)).toEqual([key]);
    } finally {
      await run("umount", [small]);
    }
  });
});

// Needs npm and its registry.
describe("Node of another architecture", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "slipway-node-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const context = { signal: AbortSignal.timeout(170_000), say: () => {} };
  const foreign = NODE_RELEASES.get(ownArchitecture() === "amd64" ? "arm64" : "amd64") as NodeRelease;

  it("comes from npm's registry, once", async () => {
    const source = { cacheFolder: join(folder, "cache"), env: process.env };
    const node = await provideNode(foreign, source, context);
    const [start] = await Readable.from(createReadStream(node, { end: 3 })).toArray();
    expect(start.toString("latin1")).toBe("\u007fELF");
    expect(await provideNode(foreign, { ...source, env: {} }, context)).toBe(node);
  });

  it.each([
    ["is not what was published", foreign, (env: NodeJS.ProcessEnv) => env],
    ["is not there", foreign, (env: NodeJS.ProcessEnv) => ({ ...env, npm_config_registry: "http://127.0.0.1:9" })],
    ["cannot be asked for without npm", foreign, () => ({ PATH: "/nowhere" })],
  ])("that %s is an error that says so and leaves nothing", async (what, release, change) => {
    const wanted = what.includes("published") ? { ...release, integrity: "sha512-AAAA" } : release;
    const env = { ...change(process.env), npm_config_fetch_retries: "0" };
    const cacheFolder = join(folder, "cache");
    await expect(provideNode(wanted, { cacheFolder, env }, context)).rejects.toMatchObject({
      code: "NodeNotAvailable",
    });
    expect(await readdir(cacheFolder)).toEqual([]);
  });
});
