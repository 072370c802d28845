import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runCommand } from "../platform/child-process.ts";
import { machinePythons, SHARED_CACHE } from "./environment-test-room.ts";
import { provideUv } from "./uv-binary.ts";
import { UV_VERSION } from "./uv-release.ts";

let base: string;
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), "uv-binary-"));
});
afterEach(() => rm(base, { recursive: true, force: true }));

const said: string[] = [];
const run = { signal: new AbortController().signal, say: (text: string) => said.push(text) };
const withoutUv = { ...process.env, PATH: "/usr/bin:/bin" };
const pythons = async () => (await machinePythons()).map(({ path }) => path);

describe("provideUv", () => {
  it("installs the pinned version with pip, once, also for two at once", async () => {
    const options = { env: withoutUv, cacheFolder: join(base, "cache"), pythons: await pythons() };
    const [one, other] = await Promise.all([provideUv(options, run), provideUv(options, run)]);
    expect(one).toBe(other);
    const { stdout } = await runCommand([one, "--version"], { env: {}, signal: run.signal });
    expect(stdout).toContain(`uv ${UV_VERSION}`);
    said.length = 0;
    expect(await provideUv(options, run)).toBe(one);
    expect(said).toEqual([]);
    expect(await readdir(options.cacheFolder)).toEqual([`uv-${UV_VERSION}`]);
  });

  it("replaces a damaged one", async () => {
    const cacheFolder = join(base, "cache");
    await mkdir(join(cacheFolder, `uv-${UV_VERSION}`, "bin"), { recursive: true });
    await writeFile(join(cacheFolder, `uv-${UV_VERSION}`, "bin", "uv"), "half", { mode: 0o755 });
    const binary = await provideUv({ env: withoutUv, cacheFolder, pythons: await pythons() }, run);
    expect((await runCommand([binary, "--version"], { env: {}, signal: run.signal })).exitCode).toBe(0);
  });

  it("takes the one on the PATH if it is new enough", async () => {
    const installed = await provideUv({ env: withoutUv, cacheFolder: SHARED_CACHE, pythons: await pythons() }, run);
    const bin = join(installed, "..");
    expect(await provideUv({ env: { PATH: bin }, cacheFolder: join(base, "unused"), pythons: [] }, run)).toBe(
      installed,
    );
    const old = join(base, "old");
    await mkdir(old);
    await writeFile(join(old, "uv"), "#!/bin/sh\necho 'uv 0.4.1'\n");
    await chmod(join(old, "uv"), 0o755);
    expect(
      await provideUv({ env: { PATH: `${old}:${bin}` }, cacheFolder: join(base, "unused"), pythons: [] }, run),
    ).toBe(installed);
  });

  it("refuses files with other hashes than the pinned ones", async () => {
    const wheels = join(base, "wheels");
    await mkdir(wheels);
    await writeFile(join(wheels, `uv-${UV_VERSION}-py3-none-any.whl`), "not the real one");
    const env = { ...withoutUv, PIP_NO_INDEX: "1", PIP_FIND_LINKS: wheels };
    await expect(
      provideUv({ env, cacheFolder: join(base, "cache"), pythons: (await pythons()).slice(0, 1) }, run),
    ).rejects.toThrow(expect.objectContaining({ code: "PackageInstallerNotAvailable" }));
    expect(await readdir(join(base, "cache"))).toEqual([]);
  });

  it("names the reasons when it cannot be had", async () => {
    await expect(
      provideUv({ env: { PATH: "/nowhere" }, cacheFolder: join(base, "cache"), pythons: [] }, run),
    ).rejects.toThrow(/no Python was found/);
  });
});
