import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, copyFile, cp, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { scorerMain } from "@slipway/scoring";
import { describe, expect, test } from "vitest";
import { ownArchitecture } from "../../platform/architecture.ts";
import { detectCgroups } from "../../platform/cgroup.ts";
import { systemClock } from "../../platform/clock.ts";
import { newShortId } from "../../platform/ids.ts";
import { silentLog } from "../../platform/log.ts";
import { isAlive } from "../../platform/process-identity.ts";
import { detectIsolation } from "../../platform/sandbox.ts";
import { plainDeployment } from "../plain-deployment.ts";
import { runFolder } from "../replica/run-folder.ts";
import { score } from "../score-over-frames.ts";
import type { Deployment, ReplicaObservation, RunContext } from "../target.ts";
import { type ConformanceWorld, type DeploymentWishes, eventually, targetConformance } from "../target-conformance.ts";
import { createProcessTarget, type ProcessTargetOptions, stopAllReplicas } from "./process-target.ts";
import { scorersOf } from "./scorer-processes.ts";

const run = promisify(execFile);
const pythonPackageFolder = dirname(fileURLToPath(import.meta.resolve("@slipway/python/package.json")));

interface ProcessWorld extends ConformanceWorld {
  readonly options: ProcessTargetOptions;
  readonly cgroupName: string;
}

interface WorldWishes extends Partial<ProcessTargetOptions> {
  readonly kinds?: Parameters<typeof detectIsolation>[0]["kinds"];
  readonly python?: string;
  /** folders between the temporary folder and the data folder */
  readonly deep?: string;
}

async function openProcessWorld(wishes: WorldWishes = {}): Promise<ProcessWorld> {
  const { kinds, python = "python3", deep = "", ...changed } = wishes;
  const base = await mkdtemp(join(tmpdir(), "slipway-process-"));
  const data = join(base, deep);
  const environmentRoot = join(data, "environments", "plain");
  await mkdir(join(data, "state"), { recursive: true, mode: 0o700 });
  // As the data folder is laid out: what services share may be read by them, if they can get there.
  await chmod(base, 0o755);
  const secret = { file: join(data, "state", "key"), text: "the key of the control plane" };
  await writeFile(secret.file, secret.text, { mode: 0o600 });
  await run(python, ["-m", "venv", "--without-pip", environmentRoot]);
  const cgroupName = newShortId();
  const options: ProcessTargetOptions = {
    folder: join(data, "run"),
    nodePath: process.execPath,
    execArgv: ["--conditions=slipway-source"],
    scorerMain,
    pythonPackageFolder,
    isolation: await detectIsolation({
      probeCommand: [join(environmentRoot, "bin", "python"), "-c", ""],
      reach: [environmentRoot],
      hidden: [data],
      ...(kinds && { kinds }),
      signal: AbortSignal.timeout(30_000),
    }),
    cgroups: await detectCgroups({ group: ["slipway", cgroupName] }),
    legacyStatusCodes: false,
    timeZone: undefined,
    log: silentLog,
    clock: systemClock,
    ...changed,
  };
  const target = createProcessTarget(options);
  const folderOf = (replica: ReplicaObservation) => join(options.folder, replica.id);

  return {
    options,
    cgroupName,
    target,
    secret,
    changesUser: options.isolation.changesUser,
    reopen: () => createProcessTarget(options),
    async deployment(script, deploymentWishes: DeploymentWishes = {}) {
      const { environmentVariables = {}, ...settings } = deploymentWishes;
      const id = newShortId();
      const appRoot = join(data, "images", id);
      await mkdir(appRoot, { recursive: true });
      await writeFile(join(appRoot, "score.py"), script);
      const bundle = {
        imageId: "echo:1",
        imageDigest: "sha256:0",
        imageLocation: "localhost/echo:1",
        repository: { workspaceId: "w", name: "echo" },
        architecture: ownArchitecture(),
        base: null,
        runtime: "python",
        appRoot,
        entryScript: "score.py",
        environmentRoot,
        environmentVariables,
        models: [],
      } as const;
      return { ...plainDeployment, id, bundle, ...settings };
    },
    async kill(replica) {
      const { process: identity } = JSON.parse(await readFile(join(folderOf(replica), "process.json"), "utf8"));
      process.kill(identity.pid, "SIGKILL");
      await eventually(async () => expect(await isAlive(identity)).toBe(false));
    },
    damages: {
      "sockets removed": async (replica) => {
        for (const name of ["http.sock", "frames.sock"]) await rm(join(folderOf(replica), name));
      },
      "run folder removed": (replica) => rm(folderOf(replica), { recursive: true }),
      "configuration replaced": (replica) => writeFile(join(folderOf(replica), "scorer.json"), "{}"),
    },
    async running(deployment) {
      const counts = Array.from({ length: deployment.replicas }, async (_, index) => {
        return (await scorersOf(runFolder(options.folder, deployment.id, index))).length;
      });
      return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
    },
    async close() {
      await stopAllReplicas({ ...options, signal: AbortSignal.timeout(60_000) });
      await rm(base, { recursive: true, force: true });
    },
  };
}

/** As conda makes them: programs and standard library in one folder. The system's Python needs nothing else of its own. */
async function selfContainedPython(root: string): Promise<string> {
  const { stdout } = await run("/usr/bin/python3", ["-c", "import sys; print('python%d.%d' % sys.version_info[:2])"]);
  const python = stdout.trim();
  await mkdir(join(root, "bin"), { recursive: true });
  await mkdir(join(root, "lib"));
  await copyFile(join("/usr/bin", python), join(root, "bin", python));
  await symlink(python, join(root, "bin", "python"));
  await cp(join("/usr/lib", python), join(root, "lib", python), { recursive: true, verbatimSymlinks: true });
  return root;
}

targetConformance("process", openProcessWorld);

describe("process target", () => {
  test.each([
    ["without control groups, watched by the scorer", { cgroups: undefined }],
    ["without isolation", { kinds: [] }],
  ] as const)("%s, too much memory is recognised", async (_, wishes) => {
    await withWorld(wishes, async (world) => {
      const hungry = await world.deployment(
        "import time\n\ndef init():\n    hoard = []\n    while True:\n        hoard.append(b'1' * 1024 * 1024)\n        time.sleep(0.002)\n\ndef run(data):\n    return data\n",
        { memoryBytes: 128 * 1024 * 1024 },
      );
      const failed = await world.target.apply(hungry, context());
      expect(failed).toMatchObject({ state: "failed", cause: { code: "OutOfMemory" } });
      expect(failed.enforcement).toContain(world.options.isolation.description);
    });
  });

  test.runIf(process.getuid?.() === 0)("with other user ids only, user code cannot read secrets", async () => {
    await withWorld({ kinds: ["user"], python: "/usr/bin/python3" }, async (world) => {
      expect(world.options.isolation.kind).toBe("user");
      const deployment = await world.deployment(WHO, { replicas: 2 });
      const applied = await world.target.apply(deployment, context());
      expect(applied.state).toBe("ready");
      for (const replica of applied.replicas) {
        const answer = JSON.parse((await score(replica, JSON.stringify(world.secret.file))).text);
        expect(answer.found).toBe("PermissionError");
        expect(answer.user).toBeGreaterThan(20_000);
        expect(answer.home).toBe(answer.user);
      }
      await world.target.remove(deployment, context());
    });
  });

  test("a data folder with a very long path works: its sockets lie elsewhere", async () => {
    const shortFolderRoot = await mkdtemp(join(tmpdir(), "short-"));
    await withWorld({ deep: "a-rather-long-name-of-a-folder/".repeat(4), shortFolderRoot }, async (world) => {
      const deployment = await world.deployment(WHO);
      const applied = await world.target.apply(deployment, context());
      expect(applied.state).toBe("ready");
      expect(applied.replicas[0]?.framesSocket).toContain(shortFolderRoot);
      expect((await stat(join(shortFolderRoot, `slipway-${process.getuid?.()}`))).mode & 0o777).toBe(0o700);
    });
    await rm(shortFolderRoot, { recursive: true });
  });

  test("a folder for short paths that somebody else may enter is refused", async () => {
    const shortFolderRoot = await mkdtemp(join(tmpdir(), "short-"));
    await mkdir(join(shortFolderRoot, `slipway-${process.getuid?.()}`));
    await chmod(join(shortFolderRoot, `slipway-${process.getuid?.()}`), 0o777);
    await withWorld({ deep: "a-rather-long-name-of-a-folder/".repeat(4), shortFolderRoot }, async (world) => {
      const failed = await world.target.apply(await world.deployment(WHO), context());
      expect(failed).toMatchObject({ state: "failed", cause: { code: "SocketFolderUnsafe" } });
    });
    await rm(shortFolderRoot, { recursive: true });
  });

  test("killed between the start and its record, the control plane finds the scorer again", () =>
    withWorld({}, async (world) => {
      const deployment = await world.deployment(WHO);
      const before = await world.target.apply(deployment, context());
      await rm(join(world.options.folder, `${deployment.id}-0`, "process.json"));
      const again = await world.reopen().apply(deployment, context());
      expect(again.replicas[0]?.nonce).toBe(before.replicas[0]?.nonce);
      await world.target.remove(deployment, context());
      expect(await world.running(deployment)).toBe(0);
    }));

  test.each([0, 5, 20, 60, 150, 400])(
    "SIGKILLed %i ms into a start, the control plane finds one scorer or starts one",
    (delayMs) =>
      withWorld({}, async (world) => {
        const deployment = await world.deployment(WHO);
        const victim = await controlPlaneThatApplies(world, deployment);
        // It may be done before it is killed.
        const exited = once(victim, "exit");
        await once(victim.stdout, "data");
        await sleep(delayMs);
        victim.kill("SIGKILL");
        await exited;
        const applied = await world.target.apply(deployment, context());
        expect(applied).toMatchObject({ state: "ready", replicas: [{ restarts: 0 }] });
        expect(await world.running(deployment)).toBe(1);
      }),
  );

  test("stopping everything and starting again is no restart", () =>
    withWorld({}, async (world) => {
      const deployment = await world.deployment(WHO);
      await world.target.apply(deployment, context());
      await stopAllReplicas({ ...world.options, signal: AbortSignal.timeout(60_000) });
      expect(await world.running(deployment)).toBe(0);
      const stopped = await world.target.observe(deployment);
      expect(stopped).toMatchObject({ state: "failed", replicas: [{ state: "stopped" }] });
      expect(stopped.cause).toBeUndefined();
      expect(await world.target.apply(deployment, context())).toMatchObject({
        state: "ready",
        replicas: [{ state: "ready", restarts: 0 }],
      });
    }));

  test("another program that took over the socket is not believed", () =>
    withWorld({}, async (world) => {
      const deployment = await world.deployment(WHO);
      const applied = await world.target.apply(deployment, context());
      const [replica] = applied.replicas;
      if (replica === undefined) throw new Error("One replica was asked for.");
      await world.kill(replica);
      const socket = join(world.options.folder, replica.id, "http.sock");
      await rm(socket);
      const state = {
        replicaId: replica.id,
        nonce: "guessed",
        pid: 1,
        phase: "ready",
        workers: [],
        inFlight: 0,
        timings: {},
      };
      const impostor = createServer((_, response) => response.end(JSON.stringify(state))).listen(socket);
      await once(impostor, "listening");
      expect(await world.target.observe(deployment)).toMatchObject({ replicas: [{ state: "stopped" }] });
      impostor.close();
    }));

  test("variables of the user reach the script, never the programs that run with our rights", () =>
    withWorld({}, async (world) => {
      const deployment = await world.deployment(WHO, { environmentVariables: { LD_PRELOAD: "/nowhere/evil.so" } });
      expect((await world.target.apply(deployment, context())).state).toBe("ready");
      const log = await world.target.logs(deployment, { tail: 100 });
      // The dynamic loader complains once for each program that got the variable: Python is the only one.
      expect(log.match(/evil\.so/g)).toHaveLength(1);
    }));

  test("a variable that cannot be set is named", () =>
    withWorld({}, async (world) => {
      const deployment = await world.deployment(WHO, { environmentVariables: { "no.such-name": "1" } });
      const failed = await world.target.apply(deployment, context());
      expect(failed.cause?.code).toBe("EnvironmentVariableInvalid");
      expect(failed.cause?.message).toContain("no.such-name");
    }));

  test("an image for another architecture is refused in words, and nothing is started", () =>
    withWorld({}, async (world) => {
      const { bundle, ...settings } = await world.deployment(WHO);
      const foreign = { ...settings, bundle: { ...bundle, architecture: "s390x" } };
      expect(await world.target.apply(foreign, context())).toMatchObject({
        state: "failed",
        cause: {
          code: "ForeignArchitecture",
          message: expect.stringMatching(/made for s390x .* which is (amd64|arm64)/),
        },
      });
      expect(await world.target.observe(foreign)).toMatchObject({ state: "absent" });
    }));

  test("an image without its environment is named, and nothing is started", () =>
    withWorld({}, async (world) => {
      const { bundle, ...settings } = await world.deployment(WHO);
      const broken = { ...settings, bundle: { ...bundle, environmentRoot: "/nowhere" } };
      expect(await world.target.apply(broken, context())).toMatchObject({
        state: "failed",
        cause: { code: "ImageIncomplete", message: expect.stringContaining("/nowhere/bin/python") },
      });
    }));

  test.each([
    ["as in images where the sandbox can do it", {}],
    ["where it is without a sandbox", { kinds: [] }],
  ] as const)("an environment with a Python of its own lies %s", (_, wishes) =>
    withWorld(wishes, async (world) => {
      const { bundle, ...settings } = await world.deployment(
        "import os, sys\n\ndef run(data):\n    return [sys.prefix, sys.executable, os.environ['PATH'].split(':')[0]]\n",
      );
      const environmentRoot = await selfContainedPython(join(bundle.appRoot, "..", "..", "environments", "own"));
      const applied = await world.target.apply({ ...settings, bundle: { ...bundle, environmentRoot } }, context());
      expect(applied.cause).toBeUndefined();
      const [replica] = applied.replicas;
      if (replica === undefined) throw new Error("One replica was asked for.");
      const shown = world.options.isolation.placesFolders ? "/opt/env" : environmentRoot;
      expect(JSON.parse((await score(replica, "1")).text)).toEqual([
        shown,
        join(shown, "bin/python"),
        join(shown, "bin"),
      ]);
    }),
  );

  test("logs of several replicas say whose line it is", () =>
    withWorld({}, async (world) => {
      const deployment = await world.deployment(WHO, { replicas: 2 });
      await world.target.apply(deployment, context());
      const log = await world.target.logs(deployment, { tail: 1000 });
      expect(log).toContain(`[${deployment.id}-0] `);
      expect(log).toContain(`[${deployment.id}-1] `);
    }));

  test("nothing of a removed deployment is left but its logs", () =>
    withWorld({}, async (world) => {
      const deployment = await world.deployment(WHO);
      await world.target.apply(deployment, context());
      await world.target.remove(deployment, context());
      expect((await readdir(world.options.folder)).sort()).toEqual(["compile-cache", "retired"]);
      const groups = await readdir("/sys/fs/cgroup/memory/slipway").catch(() => []);
      expect(groups).not.toContain(world.cgroupName);
    }));

  test("scripts find their models where v1 put them", () =>
    withWorld({}, async (world) => {
      const { bundle, ...settings } = await world.deployment(
        "import glob, os\n\ndef run(data):\n    root = os.environ['AZUREML_MODEL_DIR']\n    names = glob.glob(root + '/**/*.pkl', recursive=True)\n    return [open(name).read() for name in sorted(names)], root, os.environ['AML_APP_ROOT'], os.getcwd()\n",
      );
      const models = ["ridge", "tree"].map((name) => ({
        id: `${name}:3`,
        name,
        version: 3,
        folder: join(bundle.appRoot, "azureml-models", name, "3"),
      }));
      for (const { name, folder } of models) {
        await mkdir(folder, { recursive: true });
        await writeFile(join(folder, "model.pkl"), name);
      }
      const tell = async (id: string, used: typeof models) => {
        const applied = await world.target.apply({ ...settings, id, bundle: { ...bundle, models: used } }, context());
        const [replica] = applied.replicas;
        if (replica === undefined) throw new Error("One replica was asked for.");
        return JSON.parse((await score(replica, "[]")).text);
      };
      const root = bundle.appRoot;
      expect(await tell(newShortId(), models)).toEqual([["ridge", "tree"], `${root}/azureml-models`, root, root]);
      expect(await tell(newShortId(), models.slice(0, 1))).toEqual([
        ["ridge"],
        `${root}/azureml-models/ridge/3`,
        root,
        root,
      ]);
    }));

  test("an ONNX model answers without Python, and is held to its memory", () =>
    withWorld({}, async (world) => {
      const { bundle, ...settings } = await world.deployment("");
      const folder = join(bundle.appRoot, "azureml-models", "zeros", "1");
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, "zeros.onnx"), zerosModel());
      const { environmentRoot: _, entryScript: __, ...common } = bundle;
      const deployment: Deployment = {
        ...settings,
        bundle: { ...common, runtime: "onnx", models: [{ id: "zeros:1", name: "zeros", version: 1, folder }] },
      };
      const applied = await world.target.apply(deployment, context());
      expect(applied.state).toBe("ready");
      const [replica] = applied.replicas;
      if (replica === undefined) throw new Error("One replica was asked for.");
      expect((await score(replica, '{"shape": [2]}')).text).toContain("[0,0]");
      if (world.options.cgroups === undefined) return;
      await expect(score(replica, '{"shape": [1000000000]}')).rejects.toThrow();
      await eventually(async () =>
        expect(await world.target.observe(deployment)).toMatchObject({
          replicas: [{ state: "stopped", cause: { code: "OutOfMemory" } }],
        }),
      );
      expect(await world.target.apply(deployment, context())).toMatchObject({
        state: "ready",
        replicas: [{ restarts: 1 }],
      });
    }));

  test("an id that is no name for a folder is refused", () =>
    withWorld({}, async (world) => {
      const deployment = await world.deployment(WHO);
      for (const id of ["../x", "", "a/b", "a".repeat(41)]) {
        await expect(world.target.apply({ ...deployment, id }, context())).rejects.toThrow("cannot name a folder");
        await expect(world.target.remove({ id }, context())).rejects.toThrow("cannot name a folder");
        await expect(world.target.logs({ id }, { tail: 1 })).rejects.toThrow("cannot name a folder");
      }
    }));
});

const WHO = `
import json, os

def init():
    pass

def run(data):
    try:
        with open(json.loads(data)) as file:
            found = file.read()
    except OSError as error:
        found = type(error).__name__
    return {"found": found, "user": os.getuid(), "home": os.stat(os.environ["HOME"]).st_uid}
`;

/** An ONNX model of one node, ConstantOfShape: as many zeros as it is asked for. Protocol buffers, written by hand. */
function zerosModel(): Buffer {
  const field = (number: number, content: Buffer | string) => {
    const bytes = Buffer.from(content);
    return Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes]);
  };
  const integer = (number: number, value: number) => Buffer.from([number << 3, value]);
  const tensor = (name: string, elementType: number, dimension: Buffer) => {
    const shape = field(2, field(1, dimension));
    return Buffer.concat([field(1, name), field(2, field(1, Buffer.concat([integer(1, elementType), shape])))]);
  };
  const node = Buffer.concat([field(1, "shape"), field(2, "zeros"), field(4, "ConstantOfShape")]);
  const graph = Buffer.concat([
    field(1, node),
    field(2, "zeros"),
    field(11, tensor("shape", 7, integer(1, 1))),
    field(12, tensor("zeros", 1, field(2, "n"))),
  ]);
  return Buffer.concat([integer(1, 8), field(7, graph), field(8, integer(2, 13))]);
}

function context(): RunContext {
  return { signal: AbortSignal.timeout(60_000), say: () => undefined };
}

/** Another process with the same target, which begins to apply at once and prints what the target says. */
async function controlPlaneThatApplies(world: ProcessWorld, deployment: Deployment) {
  const { isolation: _, cgroups: __, log: ___, clock: ____, ...plain } = world.options;
  const program = fileURLToPath(new URL("testing/apply-in-another-process.ts", import.meta.url));
  const order = JSON.stringify({ options: plain, group: world.cgroupName, deployment });
  return spawn(process.execPath, ["--conditions=slipway-source", program, order], {
    stdio: ["ignore", "pipe", "inherit"],
  });
}

async function withWorld(wishes: WorldWishes, work: (world: ProcessWorld) => Promise<void>): Promise<void> {
  const world = await openProcessWorld(wishes);
  try {
    await work(world);
  } finally {
    await world.close();
  }
}
