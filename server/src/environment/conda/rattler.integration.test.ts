import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { AppError } from "../../platform/errors.ts";
import { detectIsolation } from "../../platform/sandbox.ts";
import { machinePythons, SHARED_CACHE } from "../environment-test-room.ts";
import { readIndexSettings } from "../index-settings.ts";
import { createUv } from "../uv.ts";
import { provideUv } from "../uv-binary.ts";
import { channelsOf } from "./conda-channels.ts";
import { subdirOf } from "./conda-lock.ts";
import { condaTarget } from "./conda-target.ts";
import { serveTestChannel, type TestChannel } from "./conda-test-channel.ts";
import { emptyPython } from "./conda-test-python.ts";
import { provideRattler, type Rattler } from "./rattler.ts";

const context = { signal: new AbortController().signal, say() {} };
let folder: string;
let channel: TestChannel;
let rattler: Rattler;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rattler-"));
  const native = { name: "native", depends: ["__glibc >=2.17,<2.30", "__archspec 1.* x86_64"] };
  channel = await serveTestChannel([
    emptyPython("3.11.9"),
    { ...emptyPython("3.11.8"), subdir: "linux-aarch64" },
    { ...native, version: "2.0", files: { "lib/native": "x86" } },
    {
      ...native,
      version: "1.0",
      subdir: "linux-aarch64",
      depends: ["__archspec 1.* aarch64"],
      files: { "lib/n": "a" },
    },
    { name: "pure", version: "1.0", noarch: "generic", depends: ["native"], files: { "share/pure": "p" } },
    { name: "modern", version: "1.0", depends: ["__glibc >=2.40"], files: { "lib/m": "m" } },
    { name: "graphics", version: "1.0", depends: ["__cuda"], files: { "lib/g": "g" } },
  ]);
  const { env } = process;
  const isolation = await detectIsolation({ ...{ probeCommand: ["/bin/true"], reach: [], hidden: [] }, ...context });
  const interpreters = await machinePythons();
  const settings = await readIndexSettings(env);
  const pythons = interpreters.map(({ path }) => path);
  await mkdir(SHARED_CACHE, { recursive: true });
  const binary = await provideUv({ env, cacheFolder: SHARED_CACHE, pythons }, context);
  const tools = { cacheFolder: SHARED_CACHE, reachableFolder: folder, settings, isolation };
  const uv = createUv({ ...tools, binary, env });
  rattler = await provideRattler({ ...tools, interpreters, uv, logins: new Map() }, context);
}, 120_000);
afterAll(async () => {
  await channel.close();
  await rm(folder, { recursive: true, force: true });
});

async function solve(platform: string, architecture: string, ...specs: readonly string[]) {
  const target = condaTarget(platform, architecture);
  if (target === undefined) throw new Error("No such target.");
  const channels = channelsOf([channel.address], [], {});
  const packages = await rattler.solve({ channels, specs, target, workFolder: folder }, context);
  return packages.map((one) => `${subdirOf(one)} ${one.name} ${one.version}`);
}

it("solves for another processor than this machine's", async () => {
  expect(await solve("linux", "arm64", "pure", "python")).toEqual([
    ...["linux-aarch64 native 1.0", "noarch pure 1.0", "linux-aarch64 python 3.11.8"],
  ]);
  expect(await solve("linux", "amd64", "pure", "python")).toEqual([
    ...["linux-64 native 2.0", "noarch pure 1.0", "linux-64 python 3.11.9"],
  ]);
});

it.each(["modern", "graphics"])(
  "takes for granted what the target has, not what this machine has: %s",
  async (name) => {
    const error = await solve("linux", "amd64", name).catch((reason: AppError) => reason);
    expect(error).toMatchObject({
      code: "EnvironmentUnsolvable",
      message: expect.stringMatching(/__glibc >=2\.40|__cuda/),
    });
  },
);

it("refuses what conda cannot read, as a mistake in the file", async () => {
  const error = await solve("linux", "amd64", "native >=1|0.9").catch((reason: AppError) => reason);
  expect(error).toMatchObject({ code: "CondaFileInvalid", message: expect.stringContaining("0.9") });
});

it("knows no target that is not Linux", () => {
  expect([condaTarget("darwin", "arm64"), condaTarget("linux", "s390x")]).toEqual([undefined, undefined]);
});
