import { randomBytes } from "node:crypto";
import { stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { imagePaths } from "@slipway/api";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ContainerEngine, hasEngine, startDocker, startPodman } from "../../platform/testing/container-engines.ts";
import { score } from "../score-over-frames.ts";
import type { Deployment, Observation, ReplicaObservation, RunContext } from "../target.ts";
import { eventually } from "../target-conformance.ts";
import { engineReference } from "./ensure-image.ts";
import { type ContainerWorld, openContainerWorld } from "./test/container-world.ts";
import { type MachineImage, machineImage } from "./test/machine-image.ts";

const ECHO = "def init():\n    pass\n\ndef run(data):\n    return data\n";

let image: MachineImage;
beforeAll(async () => {
  image = await machineImage();
});
afterAll(() => image.close());

const engines = [
  ["Docker", hasEngine("docker"), () => startDocker()],
  ["Docker with live restore", hasEngine("docker"), () => startDocker({ liveRestore: true })],
  ["Podman", hasEngine("podman"), () => startPodman()],
] as const;

for (const [name, isHere, start] of engines) {
  describe.skipIf(!isHere)(name, () => faults(name, start));
}

function faults(name: string, start: () => Promise<ContainerEngine>): void {
  const containersOutliveEngine = name !== "Docker";
  let world: ContainerWorld;
  beforeAll(async () => {
    world = await openContainerWorld(await start(), image);
  });
  afterAll(() => world.close());

  async function withReplica(
    script: string,
    work: (deployment: Deployment, replica: ReplicaObservation) => Promise<void>,
  ) {
    const deployment = await world.deployment(script);
    try {
      await work(deployment, only(await world.target.apply(deployment, context())));
    } finally {
      await world.target.remove(deployment, context());
    }
  }

  test("a restarted engine: what runs on is adopted, what ended is started without blame", () =>
    withReplica(ECHO, async (deployment, replica) => {
      await world.engine.restart();
      const seen = await world.target.observe(deployment);
      if (!containersOutliveEngine)
        expect(seen).toMatchObject({ state: "failed", cause: { code: "ContainerStopped" } });
      const after = only(await world.reopen().apply(deployment, context()));
      expect(after).toMatchObject({ state: "ready", restarts: 0 });
      expect(after.nonce === replica.nonce).toBe(containersOutliveEngine);
      expect((await score(after, "[1]")).status).toBe(200);
      expect(await world.running(deployment)).toBe(1);
    }));

  test("while the engine is away, what answers serves on and is adopted; what does not says why", () =>
    withReplica(ECHO, async (deployment, replica) => {
      await world.engine.kill();
      try {
        expect(only(await world.target.observe(deployment))).toMatchObject({ state: "ready", nonce: replica.nonce });
        expect(only(await world.reopen().apply(deployment, context()))).toMatchObject({ nonce: replica.nonce });
        expect((await score(replica, "[1]")).status).toBe(200);
        const other = await world.deployment(ECHO);
        expect(await world.target.apply(other, context())).toMatchObject({
          state: "failed",
          cause: { code: "EngineUnreachable" },
        });
        expect(await world.target.check()).toMatchObject({
          ok: false,
          reason: expect.stringContaining("container engine"),
        });
        expect(await world.target.logs(deployment, { tail: 100 })).toContain("is ready");
      } finally {
        await world.engine.start();
      }
      expect((await world.target.apply(deployment, context())).state).toBe("ready");
    }));

  test("what sleeps while the engine is away still sleeps, and wakes when it is back", () =>
    withReplica(ECHO, async (deployment) => {
      const asleep = { ...deployment, replicas: 0 };
      const slept = await world.target.apply(asleep, context());
      await world.engine.kill();
      try {
        expect(await world.target.observe(asleep)).toEqual(slept);
        expect(await world.reopen().observe(asleep)).toMatchObject({ state: "asleep", standby: slept.standby });
      } finally {
        await world.engine.start();
      }
      expect((await world.target.apply(deployment, context())).state).toBe("ready");
    }));

  test("a container removed by outside hands is noticed and made again", () =>
    withReplica(ECHO, async (deployment, replica) => {
      for (const { Id } of await world.client.containers({ "slipway.replica": replica.id })) {
        await world.client.removeContainer(Id);
      }
      expect(await world.target.observe(deployment)).toMatchObject({
        state: "failed",
        cause: { code: "ContainerRemoved" },
      });
      expect((await world.target.apply(deployment, context())).state).toBe("ready");
    }));

  test.each([
    ["during", "loadImage"],
    ["after", "loadImage"],
    ["before", "createContainer"],
    ["after", "createContainer"],
    ["before", "startContainer"],
    ["after", "startContainer"],
  ] as const)("a control plane killed %s %s: the next one has one container, and nothing stays", async (when, call) => {
    // Large enough that the engine has some of it, and not the rest.
    const deployment = await world.deployment(`${ECHO}# ${randomBytes(500_000).toString("hex")}\n`);
    expect(await world.applyUntilKilled(deployment, { when, call })).toBe("SIGKILL");
    const replica = only(await world.reopen().apply(deployment, context()));
    expect(replica).toMatchObject({ state: "ready", restarts: 0 });
    expect((await score(replica, "[1]")).status).toBe(200);
    expect(await world.containers(deployment)).toHaveLength(1);
    await world.target.remove(deployment, context());
    await world.leavesNothing(deployment);
  });

  test.each([
    ["before", "removeContainer"],
    ["after", "removeContainer"],
    ["after", "createContainer"],
  ] as const)("killed %s %s while it replaces a container that ended: the same", async (when, call) => {
    const deployment = await world.deployment(ECHO);
    await world.kill(only(await world.target.apply(deployment, context())));
    expect(await world.applyUntilKilled(deployment, { when, call })).toBe("SIGKILL");
    const replica = only(await world.reopen().apply(deployment, context()));
    expect(replica.state).toBe("ready");
    expect((await score(replica, "[1]")).status).toBe(200);
    expect(await world.containers(deployment)).toHaveLength(1);
    await world.target.remove(deployment, context());
    await world.leavesNothing(deployment);
  });

  test("an image is loaded once, and again when outside hands removed it", () =>
    withReplica(ECHO, async (deployment, replica) => {
      const loads = async () => {
        const said: string[] = [];
        await world.kill(replica);
        await world.target.apply(deployment, context({ say: (text) => said.push(text) }));
        return said.filter((text) => text.startsWith("Loading the image")).length;
      };
      expect(await loads()).toBe(0);
      for (const { Id } of await world.client.containers({ "slipway.replica": replica.id })) {
        await world.client.removeContainer(Id);
      }
      await world.client.removeImage(engineReference(deployment.bundle));
      expect(await world.client.image(engineReference(deployment.bundle))).toBeUndefined();
      expect(await loads()).toBe(1);
    }));

  test("layers that another image has in the engine are not sent again", () =>
    withReplica(ECHO, async () => {
      const said: string[] = [];
      const sibling = await world.deployment(`${ECHO}# another\n`);
      const applied = await world.target.apply(sibling, context({ say: (text) => said.push(text) }));
      expect(said.filter((text) => text.startsWith("Loading"))).toEqual([
        "Loading the image echo:1 into the container engine (1 MB; 2 of 3 layers are there).",
      ]);
      expect((await score(only(applied), "[1]")).status).toBe(200);
      await world.target.remove(sibling, context());
    }));

  test("only the last images stay in the engine", async () => {
    const references: string[] = [];
    for (let number = 0; number < 7; number++) {
      await withReplica(`${ECHO}# ${number}\n`, async ({ bundle }) => {
        references.push(engineReference(bundle));
      });
    }
    const there = await Promise.all(references.map(async (one) => (await world.client.image(one)) !== undefined));
    expect(there).toEqual([false, false, true, true, true, true, true]);
  });

  test("user code has no rights, no way out, and a file system that it cannot change", () =>
    withReplica(
      `import os, socket

def init():
    pass

def attempt(work):
    try:
        work()
        return "done"
    except OSError as error:
        return type(error).__name__

def run(data):
    status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines() if ":" in line)
    return {
        "capabilities": {status[name].strip() for name in ("CapEff", "CapPrm", "CapBnd")} == {"0" * 16},
        "no new privileges": status["NoNewPrivs"].strip(),
        "user": os.getuid(),
        "interfaces": [name for _, name in socket.if_nameindex()],
        "write to /": attempt(lambda: open("/file", "w")),
        "write to the application": attempt(lambda: open("file", "w")),
        "write to the runtime": attempt(lambda: open("${imagePaths.runtime}/file", "w")),
        "write to /tmp": attempt(lambda: open("/tmp/file", "w")),
        "become root": attempt(lambda: os.setuid(0)),
    }
`,
      async (_, replica) => {
        expect(JSON.parse((await score(replica, "[]")).text)).toEqual({
          capabilities: true,
          "no new privileges": "1",
          user: expect.any(Number),
          interfaces: ["lo"],
          "write to /": "OSError",
          "write to the application": "OSError",
          "write to the runtime": "OSError",
          "write to /tmp": "done",
          "become root": "PermissionError",
        });
        const { uid } = await stat(join(world.folderOf(replica), "shared", "frames.sock"));
        expect(uid).not.toBe(0);
      },
    ));

  test("links and pipes that user code leaves behind lead nowhere", () =>
    withReplica(
      `import json, os

def init():
    pass

def run(data):
    folder = "${imagePaths.run}"
    for name, file in json.loads(data).items():
        os.symlink(file, os.path.join(folder, name))
    os.mkfifo(os.path.join(folder, "logs/crash.log"))
    return "placed"
`,
      async (deployment, replica) => {
        // Even a file that reads like what is looked for there.
        const reason = join(world.options.folder, "reason.json");
        await writeFile(reason, JSON.stringify({ at: "", cause: { code: "Secret", message: world.secret.text } }));
        const links = { "exit.json": reason, "logs/scorer.log.1": world.secret.file };
        expect((await score(replica, JSON.stringify(links))).text).toBe('"placed"');
        const logs = () => world.target.logs(deployment, { tail: 100 });
        expect(await logs()).not.toContain(world.secret.text);
        await world.kill(replica);
        expect(JSON.stringify(await world.target.observe(deployment))).not.toContain(world.secret.text);
        expect(await logs()).not.toContain(world.secret.text);
        await world.target.remove(deployment, context());
        expect(await logs()).toContain("is ready");
        expect(await logs()).not.toContain(world.secret.text);
      },
    ));

  test("what a program prints when it dies is the cause, and stays in the logs", async () => {
    const entrypoint = [imagePaths.node, "--eval", "console.error('Error: no such part'); process.exit(3)"];
    const deployment = await world.deployment(ECHO, { entrypoint });
    const failed = await world.target.apply(deployment, context());
    expect(failed).toMatchObject({ state: "failed", cause: { code: "ScorerEnded", exitCode: 3 } });
    expect(failed.cause?.message).toContain("no such part");
    await world.target.apply(deployment, context());
    await world.target.remove(deployment, context());
    const lines = (await world.target.logs(deployment, { tail: 100 })).split("\n");
    expect(lines.filter((line) => line.includes("no such part"))).toHaveLength(2);
  });

  test.each([
    ["without a base", { base: null }, "ImageWithoutBase"],
    ["of another architecture", { architecture: "s390x" }, "ForeignArchitecture"],
  ])("an image %s is refused by name", async (_, bundle, code) => {
    const deployment = await world.deployment(ECHO, { bundle });
    expect(await world.target.apply(deployment, context())).toMatchObject({ state: "failed", cause: { code } });
    await world.target.remove(deployment, context());
  });

  test("two installations on one engine leave each other alone", () =>
    withReplica(ECHO, async (deployment, replica) => {
      const neighbour = await openContainerWorld({ ...world.engine, close: async () => undefined }, image);
      await neighbour.target.remove(deployment, context());
      await neighbour.close();
      await eventually(async () => expect((await score(replica, "[1]")).status).toBe(200));
    }));
}

function context(overrides: Partial<RunContext> = {}): RunContext {
  return { signal: AbortSignal.timeout(120_000), say: () => undefined, ...overrides };
}

function only({ replicas }: Observation): ReplicaObservation {
  const [replica, ...others] = replicas;
  if (replica === undefined || others.length > 0) throw new Error(`One replica was expected, not ${replicas.length}.`);
  return replica;
}
