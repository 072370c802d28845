import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { StartFile } from "@slipway/api";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { score } from "./score-over-frames.ts";
import type { Deployment, Observation, ReplicaObservation, RunContext, Standby, Target } from "./target.ts";

/** What a test may want to be different about a deployment. */
export interface DeploymentWishes extends Partial<Pick<Deployment, "replicas" | "memoryBytes" | "startTimeoutMs">> {
  readonly environmentVariables?: Readonly<Record<string, string>>;
}

/** What a target's own test supplies. Everything is real: the engine, the scorer, Python. */
export interface ConformanceWorld {
  readonly target: Target;
  /** another instance over the same state, as after a crash of the control plane */
  reopen(): Target;
  /** an image with this score.py, ready to be applied, under an id that was never used */
  deployment(script: string, wishes?: DeploymentWishes): Promise<Deployment>;
  /** ends one replica without warning; returns when it is dead */
  kill(replica: ReplicaObservation): Promise<void>;
  /** what outside hands may do: each leaves the replica running, but lost to the target */
  readonly damages: Readonly<Record<string, (replica: ReplicaObservation) => Promise<void>>>;
  /** how many copies of the deployment really run, known to the target or not */
  running(deployment: Deployment): Promise<number>;
  /** a file of the control plane, and what stands in it */
  readonly secret: { readonly file: string; readonly text: string };
  /** user code has a user id that is not the control plane's */
  readonly changesUser: boolean;
  close(): Promise<void>;
}

const MiB = 1024 * 1024;

const ECHO = `
import json

def init():
    print("loading the model")

def run(data):
    return json.loads(data)
`;

const SLOW_INIT = `
import time

def init():
    print("reading a large model", flush=True)
    time.sleep(60)

def run(data):
    return data
`;

const HUNGRY = `
import json

def init():
    pass

def run(data):
    hoard = []
    while json.loads(data)["eat"]:
        hoard.append(bytearray(8 * 1024 * 1024))
    return "not hungry"
`;

/**
 * The judge of every target: what `Target` promises, tried on the real engine.
 *
 * @example targetConformance("process", () => openProcessWorld());
 */
export function targetConformance(name: string, open: () => Promise<ConformanceWorld>): void {
  describe(`${name} target: conformance`, () => {
    let world: ConformanceWorld;
    beforeAll(async () => {
      world = await open();
    });
    afterAll(() => world.close());

    async function withDeployment(
      script: string,
      work: (deployment: Deployment) => Promise<void>,
      wishes: DeploymentWishes = {},
    ): Promise<void> {
      const deployment = await world.deployment(script, wishes);
      try {
        await work(deployment);
      } finally {
        await world.target.remove(deployment, context());
      }
    }

    test("this machine can do it, and says how much is free", async () => {
      expect(await world.target.check()).toEqual({ ok: true });
      const { cpu, memoryBytes } = await world.target.capacity();
      expect(cpu).toBeGreaterThanOrEqual(1);
      expect(memoryBytes).toBeGreaterThan(64 * MiB);
    });

    test("what was never applied is absent", async () => {
      const deployment = await world.deployment(ECHO);
      expect(await world.target.observe(deployment)).toMatchObject({ state: "absent", replicas: [] });
      expect(await world.target.logs(deployment, { tail: 100 })).toBe("");
      await world.target.remove(deployment, context());
    });

    test("an applied deployment answers", () =>
      withDeployment(ECHO, async (deployment) => {
        const said: string[] = [];
        const applied = await world.target.apply(deployment, context({ say: (text) => said.push(text) }));
        expect(applied).toMatchObject({ state: "ready", replicas: [{ state: "ready", restarts: 0 }] });
        expect(applied.cause).toBeUndefined();
        expect(applied.enforcement).toMatch(/memory/i);
        expect(Object.keys(only(applied).timings)).toEqual(expect.arrayContaining(["interpreter", "import", "init"]));
        expect(await score(only(applied), '{"number": 7}')).toEqual({ status: 200, text: '{"number": 7}' });
        expect(await world.target.observe(deployment)).toMatchObject({ state: "ready" });
        expect(said.length).toBeGreaterThan(0);
      }));

    test("two replicas are two", () =>
      withDeployment(
        ECHO,
        async (deployment) => {
          const applied = await world.target.apply(deployment, context());
          expect(applied.state).toBe("ready");
          expect(new Set(nonces(applied)).size).toBe(2);
          for (const replica of applied.replicas) expect((await score(replica, "[1]")).status).toBe(200);
        },
        { replicas: 2 },
      ));

    test("another number of replicas starts and stops the difference, and leaves the others alone", () =>
      withDeployment(
        ECHO,
        async (deployment) => {
          const of = (replicas: number) => ({ ...deployment, replicas });
          const one = await world.target.apply(of(1), context());
          const three = await world.target.apply(of(3), context());
          expect(three).toMatchObject({ state: "ready", replicas: [{}, {}, {}] });
          expect(nonces(three)[0]).toBe(nonces(one)[0]);
          expect(await world.running(deployment)).toBe(3);
          const two = await world.reopen().apply(of(2), context());
          expect(nonces(two)).toEqual(nonces(three).slice(0, 2));
          expect(await world.running(deployment)).toBe(2);
          expect((await world.target.observe(of(2))).state).toBe("ready");
          expect(await world.target.logs(deployment, { tail: 1000 })).toContain("loading the model");
        },
        { replicas: 3 },
      ));

    test("no replicas: it sleeps, what the gateway starts is adopted, and it sleeps again", async ({ skip }) => {
      skip(!world.target.capabilities.sleep, "this target cannot sleep");
      await withDeployment(ECHO, async (deployment) => {
        const asleep = { ...deployment, replicas: 0 };
        await world.target.apply(deployment, context());
        const slept = await world.target.apply(asleep, context());
        expect(slept).toMatchObject({ state: "asleep", replicas: [], standby: { nonce: expect.any(String) } });
        expect(await world.running(deployment)).toBe(0);
        expect(await world.target.observe(asleep)).toEqual(slept);
        for (const target of [world.target, world.reopen()]) {
          const { standby } = await target.apply(asleep, context());
          startAsGateway(standby);
          await eventually(async () => expect((await target.observe(asleep)).state).toBe("ready"));
          expect((await target.observe(asleep)).standby).toEqual(standby);
          const adopted = await target.apply(deployment, context());
          expect(nonces(adopted)).toEqual([standby?.nonce]);
          expect(only(adopted).restarts).toBe(0);
          expect((await score(only(adopted), "[1]")).status).toBe(200);
          expect(await world.running(deployment)).toBe(1);
          expect((await target.apply(asleep, context())).state).toBe("asleep");
          expect(await world.running(deployment)).toBe(0);
        }
      });
    });

    test("what never ran can sleep; removed, it sleeps no more", async ({ skip }) => {
      skip(!world.target.capabilities.sleep, "this target cannot sleep");
      await withDeployment(ECHO, async (deployment) => {
        const asleep = { ...deployment, replicas: 0 };
        const { standby } = await world.target.apply(asleep, context());
        startAsGateway(standby);
        await eventually(async () => expect((await world.target.observe(asleep)).state).toBe("ready"));
        await world.target.remove(deployment, context());
        expect(await world.running(deployment)).toBe(0);
        const removed = await world.target.observe(asleep);
        expect(removed.state).toBe("absent");
        expect(removed.standby).toBeUndefined();
      });
    });

    test("applied again, and at once by several, it is the same replicas", () =>
      withDeployment(ECHO, async (deployment) => {
        const all = await Promise.all([1, 2, 3].map(() => world.target.apply(deployment, context())));
        const again = await world.target.apply(deployment, context());
        expect(new Set([...all, again].flatMap(nonces)).size).toBe(1);
        expect(only(again).restarts).toBe(0);
        expect(await world.running(deployment)).toBe(1);
      }));

    test("another instance adopts what runs", () =>
      withDeployment(ECHO, async (deployment) => {
        const before = await world.target.apply(deployment, context());
        const successor = world.reopen();
        expect(nonces(await successor.observe(deployment))).toEqual(nonces(before));
        expect(nonces(await successor.apply(deployment, context()))).toEqual(nonces(before));
        expect(await world.running(deployment)).toBe(1);
      }));

    test("a cancelled apply leaves a start that the next one adopts", () =>
      withDeployment(SLOW_INIT, async (deployment) => {
        const cancel = new AbortController();
        const applying = world.target.apply(deployment, context({ signal: cancel.signal }));
        applying.catch(() => undefined);
        await eventually(async () =>
          expect(await world.target.observe(deployment)).toMatchObject({ state: "starting" }),
        );
        cancel.abort(new Error("seen enough"));
        await expect(applying).rejects.toThrow("seen enough");
        expect(await world.target.observe(deployment)).toMatchObject({ state: "starting" });
        const again = world.reopen().apply(deployment, context({ signal: AbortSignal.timeout(500) }));
        await expect(again).rejects.toThrow();
        expect(await world.running(deployment)).toBe(1);
      }));

    test("a killed replica is noticed and brought back; the other one is left alone", () =>
      withDeployment(
        ECHO,
        async (deployment) => {
          const [first, second] = (await world.target.apply(deployment, context())).replicas;
          if (first === undefined || second === undefined) throw new Error("Two replicas were asked for.");
          await world.kill(first);
          const seen = await world.target.observe(deployment);
          expect(seen.state).toBe("degraded");
          expect(seen.replicas[0]).toMatchObject({ state: "stopped", cause: { message: expect.any(String) } });
          expect(seen.cause).toBeDefined();
          const back = await world.target.apply(deployment, context());
          expect(back.state).toBe("ready");
          expect(back.replicas[0]?.nonce).not.toBe(first.nonce);
          expect(back.replicas[0]?.restarts).toBe(1);
          expect(back.replicas[1]?.nonce).toBe(second.nonce);
          expect(await world.running(deployment)).toBe(2);
        },
        { replicas: 2 },
      ));

    test("outside damage is noticed and mended, and nothing runs twice", async () => {
      for (const [what, damage] of Object.entries(world.damages)) {
        await withDeployment(ECHO, async (deployment) => {
          await damage(only(await world.target.apply(deployment, context())));
          expect((await world.target.observe(deployment)).state, what).not.toBe("ready");
          const mended = await world.target.apply(deployment, context());
          expect(mended.state, what).toBe("ready");
          expect((await score(only(mended), "[1]")).status, what).toBe(200);
          expect(await world.running(deployment), what).toBe(1);
        });
      }
    });

    test("outside damage does not keep anything from being removed", async () => {
      for (const [what, damage] of Object.entries(world.damages)) {
        await withDeployment(ECHO, async (deployment) => {
          await damage(only(await world.target.apply(deployment, context())));
          await world.target.remove(deployment, context());
          expect(await world.running(deployment), what).toBe(0);
          expect((await world.target.observe(deployment)).state, what).toBe("absent");
        });
      }
    });

    test("removed is gone, twice removed too, and it can come again", () =>
      withDeployment(ECHO, async (deployment) => {
        const before = await world.target.apply(deployment, context());
        await world.target.remove(deployment, context());
        expect(await world.running(deployment)).toBe(0);
        await world.target.remove(deployment, context());
        await world.reopen().remove(deployment, context());
        expect(await world.target.observe(deployment)).toMatchObject({ state: "absent" });
        await expect(score(only(before), "[1]")).rejects.toThrow();
        const again = await world.target.apply(deployment, context());
        expect(again.state).toBe("ready");
        expect(nonces(again)).not.toEqual(nonces(before));
      }));

    test("a request in flight is answered before its replica is removed", () =>
      withDeployment(
        `import time

def init():
    pass

def run(data):
    print("working", flush=True)
    time.sleep(1.5)
    return "late"
`,
        async (deployment) => {
          const applied = await world.target.apply(deployment, context());
          const answer = score(only(applied), "[]");
          await eventually(async () => expect(await world.target.logs(deployment, { tail: 100 })).toContain("working"));
          await world.target.remove(deployment, context());
          expect(await answer).toEqual({ status: 200, text: '"late"' });
        },
      ));

    test("logs are there while it starts and after it is removed", () =>
      withDeployment(SLOW_INIT, async (deployment) => {
        const cancel = new AbortController();
        const applying = world.target.apply(deployment, context({ signal: cancel.signal }));
        applying.catch(() => undefined);
        await eventually(async () =>
          expect(await world.target.logs(deployment, { tail: 100 })).toContain("reading a large model"),
        );
        cancel.abort(new Error("seen enough"));
        await expect(applying).rejects.toThrow("seen enough");
        await world.target.remove(deployment, context());
        expect(await world.target.logs(deployment, { tail: 100 })).toContain("reading a large model");
        expect((await world.target.logs(deployment, { tail: 1 })).trim().split("\n")).toHaveLength(1);
      }));

    test("an exception in init() is the cause, with file and line, and is not tried over and over", () =>
      withDeployment(
        `import os

def init():
    raise ValueError("no such weights: " + os.path.basename("/models/ridge.pkl"))

def run(data):
    return data
`,
        async (deployment) => {
          const failed = await world.target.apply(deployment, context());
          expect(failed).toMatchObject({ state: "failed", replicas: [{ state: "failed", restarts: 0 }] });
          expect(failed.cause?.message).toContain("no such weights: ridge.pkl");
          expect(failed.cause).toMatchObject({ file: expect.stringContaining("score.py"), line: 4 });
          expect(await world.target.logs(deployment, { tail: 100 })).toContain("no such weights: ridge.pkl");
          expect(await world.reopen().observe(deployment)).toMatchObject({ state: "failed", cause: failed.cause });
          await world.target.remove(deployment, context());
          expect(await world.target.logs(deployment, { tail: 100 })).toContain("no such weights: ridge.pkl");
        },
      ));

    test("a failure that is asked about again is tried again, and the tries are counted", () =>
      withDeployment("def init():\n    1 / 0\n\ndef run(data):\n    return data\n", async (deployment) => {
        const tries = [];
        for (let attempt = 0; attempt < 3; attempt++) tries.push(await world.target.apply(deployment, context()));
        expect(tries.map((one) => one.state)).toEqual(["failed", "failed", "failed"]);
        for (const one of tries) expect(one.cause?.message).toContain("division by zero");
        expect(tries.map((one) => only(one).restarts)).toEqual([0, 1, 2]);
        expect(await world.running(deployment)).toBeLessThanOrEqual(1);
      }));

    test("a missing package is named", () =>
      withDeployment("import scikit_learnt\n\ndef run(data):\n    return data\n", async (deployment) => {
        const failed = await world.target.apply(deployment, context());
        expect(failed.state).toBe("failed");
        expect(failed.cause).toMatchObject({ message: expect.stringContaining("scikit_learnt"), line: 1 });
      }));

    test("a start that takes too long fails in time", () =>
      withDeployment(
        SLOW_INIT,
        async (deployment) => {
          const began = performance.now();
          const failed = await world.target.apply(deployment, context());
          expect(failed).toMatchObject({ state: "failed", cause: { code: "StartTimeout" } });
          expect(performance.now() - began).toBeLessThan(50_000);
        },
        { startTimeoutMs: 1_000 },
      ));

    test("too much memory in init() is the cause", () =>
      withDeployment(
        "def init():\n    hoard = []\n    while True:\n        hoard.append(bytearray(8 * 1024 * 1024))\n\ndef run(data):\n    return data\n",
        async (deployment) => {
          const failed = await world.target.apply(deployment, context());
          expect(failed).toMatchObject({ state: "failed", cause: { code: "OutOfMemory" } });
        },
        { memoryBytes: 128 * MiB },
      ));

    test("too much memory in run() fails that request; the replica comes back and tells the cause", () =>
      withDeployment(
        HUNGRY,
        async (deployment) => {
          const applied = await world.target.apply(deployment, context());
          const answer = await score(only(applied), '{"eat": true}');
          expect(answer.status).toBe(424);
          expect(answer.text).toContain("OutOfMemory");
          await eventually(async () => {
            const now = await world.target.observe(deployment);
            expect(now).toMatchObject({ state: "ready", replicas: [{ restarts: 1, cause: { code: "OutOfMemory" } }] });
            expect((await score(only(now), '{"eat": false}')).text).toBe('"not hungry"');
          });
        },
        { memoryBytes: 128 * MiB },
      ));

    test("user code cannot read what is not its own", () =>
      withDeployment(
        `import json, os

def init():
    pass

def run(data):
    wanted = json.loads(data)
    try:
        with open(wanted) as file:
            found = file.read()
    except OSError as error:
        found = type(error).__name__
    return {"found": found, "user": os.getuid(), "environment": dict(os.environ)}
`,
        async (deployment) => {
          process.env.SLIPWAY_CONFORMANCE_SECRET = world.secret.text;
          const applied = await world.target.apply(deployment, context());
          delete process.env.SLIPWAY_CONFORMANCE_SECRET;
          const answer = await score(only(applied), JSON.stringify(world.secret.file));
          expect(answer.status).toBe(200);
          expect(answer.text).not.toContain(world.secret.text);
          const { found, user, environment } = JSON.parse(answer.text);
          expect(["FileNotFoundError", "PermissionError"]).toContain(found);
          if (world.changesUser) expect(user).not.toBe(process.getuid?.());
          expect(environment).toMatchObject({ GREETING: "it's\nme", AML_APP_ROOT: expect.any(String) });
        },
        { environmentVariables: { GREETING: "it's\nme" } },
      ));
  });
}

function context(overrides: Partial<RunContext> = {}): RunContext {
  return { signal: AbortSignal.timeout(120_000), say: () => undefined, ...overrides };
}

/** What the gateway does when a request wants a service that sleeps. */
function startAsGateway(standby: Standby | undefined): void {
  if (standby === undefined) throw new Error("A standby was expected.");
  const { command, env }: StartFile = JSON.parse(readFileSync(standby.startFile, "utf8"));
  const [program = "", ...args] = command;
  spawn(program, args, { env, cwd: "/", detached: true, stdio: "ignore" }).unref();
}

function only({ replicas }: Observation): ReplicaObservation {
  const [replica, ...others] = replicas;
  if (replica === undefined || others.length > 0) throw new Error(`One replica was expected, not ${replicas.length}.`);
  return replica;
}

function nonces({ replicas }: Observation): readonly (string | undefined)[] {
  return replicas.map((replica) => replica.nonce);
}

/** Waits by condition: the last failure is the test's when the time is over. */
export async function eventually(check: () => Promise<void>, timeoutMs = 60_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await sleep(50);
    }
  }
}
