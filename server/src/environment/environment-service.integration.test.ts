import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import { afterEach, describe, expect, it } from "vitest";
import { type AppError, toAppError } from "../platform/errors.ts";
import {
  type EnvironmentTestRoom,
  machinePythons,
  openEnvironmentTestRoom,
  runPython,
  type TestRoomOptions,
} from "./environment-test-room.ts";
import { minorOf } from "./python-choice.ts";

const execute = promisify(execFile);
const SCIKIT = "dependencies: [scikit-learn]";

const rooms: EnvironmentTestRoom[] = [];
async function open(options: TestRoomOptions = {}): Promise<EnvironmentTestRoom> {
  const room = await openEnvironmentTestRoom(options);
  rooms.push(room);
  return room;
}
afterEach(async () => {
  for (const room of rooms.splice(0)) await room.close();
});

const failure = (promise: Promise<unknown>): Promise<AppError> =>
  promise.then(
    () => {
      throw new Error("It should have failed.");
    },
    (error: AppError) => error,
  );

async function eventually(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error("It did not happen in time.");
    await pause(20);
  }
}

async function files(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length));
}

describe("an environment", () => {
  it("is resolved and installed once, then known, also after a restart", async () => {
    const room = await open();
    const first = await room.prepare({ condaFile: SCIKIT });
    expect(first.reused).toBe(false);
    expect(first.packages.map(({ name }) => name)).toEqual(expect.arrayContaining(["numpy", "scikit-learn", "scipy"]));
    expect(first.lock).toMatch(/^scikit-learn==[\d.]+ \\\n {4}--hash=sha256:[0-9a-f]{64}/m);
    expect(room.said).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^Resolved \d+ packages/),
        expect.stringMatching(/^Installed scikit-learn/),
      ]),
    );
    expect(await runPython(first.root, "import sklearn.linear_model, sys; print(sys.prefix)")).toBe(first.root);

    const again = await room.prepare({ condaFile: `# another comment\n${SCIKIT}` });
    expect(again).toEqual({ ...first, reused: true });
    const { reused, id } = await room
      .reopen()
      .prepare({ condaFile: SCIKIT }, { signal: new AbortController().signal, say() {} });
    expect([reused, id]).toEqual([true, first.id]);
  });

  it("can be moved, and every user may read but not change it", async () => {
    const room = await open();
    const { root } = await room.prepare({ condaFile: "dependencies: [{pip: [flask]}]" });
    const moved = join(room.folder, "elsewhere");
    await rename(root, moved);
    expect(await runPython(moved, "import flask; print(flask.__file__)")).toContain(moved);
    const script = await readFile(join(moved, "bin", "flask"), "utf8");
    expect(script).not.toContain(room.folder);
    for (const path of await readdir(moved, { recursive: true })) {
      const { mode } = await stat(join(moved, path));
      expect(mode & 0o022, path).toBe(0);
      expect(mode & 0o044, path).toBe(0o044);
    }
  });

  it("has the same bytes wherever it is made, bytecode included", async () => {
    const request = { condaFile: "dependencies: [{pip: [flask]}]" };
    const [one, other] = [await open(), await open({ cacheFolder: join((await open()).folder, "cache") })];
    const [first, second] = [await one.prepare(request), await other.prepare(request)];
    expect(second.id).toBe(first.id);
    const names = await files(first.root);
    expect(await files(second.root)).toEqual(names);
    expect(names.filter((name) => name.endsWith(".pyc")).length).toBeGreaterThan(50);
    for (const name of names) {
      const [a, b] = await Promise.all([readFile(join(first.root, name)), readFile(join(second.root, name))]);
      expect(a.equals(b), name).toBe(true);
    }
  });

  it("loads the bytecode that was made ahead, and traces with true paths", async () => {
    const room = await open();
    const { root } = await room.prepare({ condaFile: "dependencies: [{pip: [flask]}]" });
    const loaded = await runPython(
      root,
      "import flask, os; print(os.path.exists(flask.__cached__), flask.Flask.run.__code__.co_filename)",
    );
    expect(loaded).toBe(`True ${join(root, "lib", await siteOf(root), "site-packages/flask/app.py")}`);
  });

  it("without packages is Python alone, made without uv", async () => {
    const room = await open({ env: { UV_OFFLINE: "1" }, cacheFolder: join((await open()).folder, "empty") });
    const made = await room.prepare({ pipRequirements: "azureml-model-management-sdk==1.0.1b6.post1\n" });
    expect([made.lock, made.packages, made.warnings]).toEqual(["", [], []]);
    expect(await runPython(made.root, "import sys; print(sys.prefix)")).toBe(made.root);
    expect(room.said.join()).toContain("azureml-model-management-sdk");
  });

  it("is made again when its interpreter has gone or its tree is damaged", async () => {
    const room = await open();
    const { root, id } = await room.prepare({});
    await rm(join(root, "bin", "python"));
    expect(await room.prepare({})).toMatchObject({ id, reused: false });
    await rm(join(root, "environment.json"));
    expect(await room.prepare({})).toMatchObject({ id, reused: false });
    expect(await runPython(root, "print(1)")).toBe("1");
  });

  it("is made once for two that ask at once, and by two processes without harm", async () => {
    const room = await open();
    const request = { condaFile: "dependencies: [{pip: [tabulate]}]" };
    const neighbour = room.reopen();
    const [one, other, third] = await Promise.all([
      room.prepare(request),
      room.prepare(request),
      neighbour.prepare(request, { signal: new AbortController().signal, say() {} }),
    ]);
    expect(new Set([one.root, other.root, third.root]).size).toBe(1);
    expect(await runPython(one.root, "import tabulate; print('ok')")).toBe("ok");
    expect(await readdir(join(room.folder, "work"))).toEqual([]);
  });
});

describe("what cannot be", () => {
  it.each([
    ["dependencies: [numpy==1.26, {pip: [numpy==2]}]", "EnvironmentUnsolvable", /numpy==1\.26 and numpy==2/],
    [
      "dependencies: [{pip: [slipway-no-such-package]}]",
      "EnvironmentUnsolvable",
      /slipway-no-such-package was not found/,
    ],
    ["dependencies: [scikit-learn=99]", "EnvironmentUnsolvable", /scikit-learn==99/],
    ["dependencies: [{pip: [sklearn]}]", "PackageBuildFailed", /sklearn .*scikit-learn/],
  ])("is refused in seconds: %s", async (condaFile, code, message) => {
    const room = await open();
    await room.prepare({ condaFile: "dependencies: [{pip: [tabulate]}]" });
    const begun = performance.now();
    const error = await failure(room.prepare({ condaFile }));
    expect([error.code, error.kind]).toEqual([code, "invalid"]);
    expect(error.message).toMatch(message);
    expect(performance.now() - begun).toBeLessThan(60_000);
    expect(await readdir(join(room.folder, "work"))).toEqual([]);
  });

  it("an index that cannot be reached is named with its settings and without its password", async () => {
    const room = await open({
      env: { UV_DEFAULT_INDEX: "https://me:secret@127.0.0.1:9/simple", UV_HTTP_RETRIES: "0", NO_PROXY: "127.0.0.1" },
    });
    const error = await failure(room.prepare({ condaFile: SCIKIT }));
    expect([error.code, error.kind]).toEqual(["EnvironmentIndexUnreachable", "unavailable"]);
    expect(error.message).toContain("UV_DEFAULT_INDEX=https://***@127.0.0.1:9/simple");
    expect(error.message).not.toContain("secret");
  });
});

const mayMount = await execute("unshare", ["--mount", "true"]).then(
  () => true,
  () => false,
);

it.skipIf(!mayMount)(
  "a full disk is named, and nothing half stays (needs the right to mount a small file system)",
  async () => {
    const room = await open();
    await mkdir(room.folder);
    await execute("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", room.folder]);
    try {
      const error = toAppError(await failure(room.prepare({ condaFile: SCIKIT })));
      expect([error.code, error.kind]).toEqual(["DiskFull", "unavailable"]);
      expect(await readdir(join(room.folder, "work"))).toEqual([]);
    } finally {
      await execute("umount", [room.folder]);
    }
  },
);

describe("Python", () => {
  it("falls to the nearest version with a warning that names both, unless strict", async () => {
    const newer = (await machinePythons()).filter(({ version }) => Number(version.split(".")[1]) > 8);
    const room = await open({ pythons: newer });
    const asked = { condaFile: "dependencies: [python=3.6.2]" };
    const nearest = [...newer].sort(
      (one, other) => Number(one.version.split(".")[1]) - Number(other.version.split(".")[1]),
    )[0];
    const made = await room.prepare(asked);
    expect(minorOf(made.pythonVersion)).toBe(minorOf(nearest?.version ?? ""));
    expect(made.warnings).toEqual([expect.stringMatching(/Python 3\.6\.2 .*Python 3\.\d+\.\d+ is used/)]);
    expect(room.said.join()).toContain("3.6.2");
    const error = await failure(room.prepare({ ...asked, strictPython: true }));
    expect([error.code, error.kind]).toEqual(["PythonNotAvailable", "invalid"]);
    expect(error.message).toContain(made.pythonVersion);
  });

  it("is named when there is none", async () => {
    const error = await failure((await open({ pythons: [] })).prepare({}));
    expect(error.code).toBe("PythonNotAvailable");
    expect(error.message).toContain("no Python 3.6 or newer was found");
  });
});

describe("azureml-core", () => {
  it("is added when it is imported and nothing provides it", async () => {
    const room = await open();
    const { warnings, packages } = await room.prepare({
      condaFile: "dependencies: [python=3.11]",
      azuremlImportedAt: "score.py, line 3",
    });
    expect(packages.map(({ name }) => name)).toContain("azureml-core");
    expect(warnings).toEqual([expect.stringContaining("score.py, line 3")]);
  });
});

describe("source distributions", () => {
  it("are built once, whatever else an environment holds", async () => {
    const room = await open({ cacheFolder: join((await open()).folder, "cache") });
    const made = await room.prepare({ condaFile: "dependencies: [{pip: [docopt==0.6.2, tabulate]}]" });
    expect(room.said).toContain("Building docopt 0.6.2 from source");
    expect(await runPython(made.root, "import docopt, tabulate; print(docopt.__version__)")).toBe("0.6.2");

    const other = await room.prepare({ condaFile: "dependencies: [{pip: [docopt==0.6.2, six]}]" });
    expect(room.said).not.toContain("Building docopt 0.6.2 from source");
    expect(await runPython(other.root, "import docopt, six; print('ok')")).toBe("ok");
  });

  it("are built without a sandbox where there is none, and people are told", async () => {
    const room = await open({ kinds: ["none"], cacheFolder: join((await open()).folder, "cache") });
    const made = await room.prepare({ condaFile: "dependencies: [{pip: [docopt==0.6.2]}]" });
    expect(room.said).toContainEqual(expect.stringMatching(/built without a sandbox/));
    expect(await runPython(made.root, "import docopt; print('ok')")).toBe("ok");
  });
});

describe("an interruption", () => {
  it("stops uv, leaves nothing, and the next attempt succeeds", async () => {
    const room = await open({ cacheFolder: join((await open()).folder, "cache") });
    const controller = new AbortController();
    const result = failure(room.prepare({ condaFile: SCIKIT }, controller.signal));
    await eventually(() => room.said.some((text) => text.startsWith("Downloading ")));
    controller.abort(new Error("cancelled by the test"));
    expect((await result).message).toBe("cancelled by the test");
    await eventually(async () => (await readdir(join(room.folder, "work"))).length === 0);
    expect(existsSync(join(room.folder, "trees"))).toBe(false);
    const made = await room.prepare({ condaFile: SCIKIT });
    expect(await runPython(made.root, "import sklearn; print('ok')")).toBe("ok");
  });

  it("by a kill leaves only a work folder, which the next start removes", async () => {
    const room = await open({ cacheFolder: join((await open()).folder, "cache") });
    const child = spawn(
      process.execPath,
      ["--conditions=slipway-source", "--input-type=module", "-e", PREPARE, room.folder],
      {
        cwd: import.meta.dirname,
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    for await (const line of createInterface({ input: child.stdout })) if (line.startsWith("Downloading ")) break;
    child.kill("SIGKILL");
    await once(child, "exit");
    const abandoned = await readdir(join(room.folder, "work"));
    expect(abandoned.length).toBe(1);

    const quiet = { signal: new AbortController().signal, say() {} };
    const made = await room.reopen().prepare({ condaFile: SCIKIT }, quiet);
    expect(await runPython(made.root, "import sklearn; print('ok')")).toBe("ok");
    expect(await readdir(join(room.folder, "work"))).toEqual([]);
  });
});

const PREPARE = `
import { createEnvironmentService } from "./index.ts";
import { detectIsolation } from "../platform/sandbox.ts";
import { silentLog } from "../platform/log.ts";
const [folder] = process.argv.slice(1);
const { signal } = new AbortController();
const isolation = await detectIsolation({ probeCommand: ["/bin/true"], reach: [], hidden: [], signal });
const service = createEnvironmentService({ folder, cacheFolder: folder + "/../other-cache", env: process.env, isolation, log: silentLog });
await service.prepare({ condaFile: ${JSON.stringify(SCIKIT)} }, { signal, say: (text) => console.log(text) });
`;

async function siteOf(root: string): Promise<string> {
  return (await readdir(join(root, "lib")))[0] ?? "";
}
