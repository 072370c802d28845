import { accessSync, constants, existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { eventually, isRunning } from "../../testing/scorer-under-test.ts";
import { startedScorers } from "../../testing/started-scorers.ts";

const scorers = startedScorers();

const CGROUPS = "/sys/fs/cgroup/memory";
const canLimit = existsSync(join(CGROUPS, "memory.oom_control")) && isWritable(CGROUPS);

/** Sleeps as long as the request says, and tells its pid. */
const SLEEPER = `
import json, os, time
def run(data):
    seconds = json.loads(data)
    print("running", flush=True)
    time.sleep(seconds)
    return os.getpid()
`;

describe("a worker that is killed", () => {
  it("fails what it had in work with 424, is started again, and others do not notice", async () => {
    const scorer = await scorers.readyPython({ "score.py": SLEEPER }, { workers: 2 });
    await scorer.until(({ workers }) => workers.every(({ phase }) => phase === "ready"));
    // One after the other: the first worker gets the first one.
    const long = [scorer.score(30)];
    await expect.poll(() => scorer.log()).toMatch(/worker-1 stdout: .*running/);
    long.push(scorer.score(1.5));
    await expect.poll(() => scorer.log()).toMatch(/worker-2 stdout: .*running/);
    const { workers } = await scorer.state();
    const victim = workers[0]?.pid ?? 0;
    process.kill(victim, "SIGKILL");
    const [failed, other] = await Promise.all(long);
    expect(failed?.status).toBe(424);
    expect(failed?.headers["x-ms-run-function-failed"]).toBe("true");
    expect(failed?.json()).toMatchObject({
      error: { code: "WorkerCrashed", signal: "SIGKILL", message: expect.stringContaining("ended by SIGKILL") },
    });
    expect(other?.json()).toBe(workers[1]?.pid);
    const after = await scorer.until((state) => state.workers.every(({ phase }) => phase === "ready"));
    expect(after.workers[0]).toMatchObject({ restarts: 1 });
    expect(after.workers[0]?.pid).not.toBe(victim);
    expect(after.cause).toMatchObject({ code: "WorkerCrashed" });
    expect((await scorer.score(0)).status).toBe(200);
  });

  it("keeps requests waiting while it comes back", async () => {
    // It comes back slowly, so that it is seen to be away.
    const scorer = await scorers.readyPython({ "score.py": `${SLEEPER}time.sleep(1.5)\n` });
    process.kill((await scorer.state()).workers[0]?.pid ?? 0, "SIGKILL");
    await scorer.until(({ workers }) => workers[0]?.restarts === 1);
    expect((await scorer.score(0)).status).toBe(200);
  });

  it("takes the processes along that the script started", async () => {
    const scorer = await scorers.readyPython({
      "score.py": `
import subprocess
def init():
    global child
    child = subprocess.Popen(["sleep", "600"])
def run(data): return child.pid
`,
    });
    const child = (await scorer.score({})).json() as number;
    expect(isRunning(child)).toBe(true);
    process.kill((await scorer.state()).workers[0]?.pid ?? 0, "SIGKILL");
    await eventually(() => expect(isRunning(child)).toBe(false));
  });

  it("leaves its native stack in the cause", async () => {
    const scorer = await scorers.readyPython({
      "score.py": "import ctypes\ndef run(data):\n    ctypes.string_at(0)\n",
    });
    const answer = await scorer.score({});
    expect(answer.status).toBe(424);
    expect(answer.json()).toMatchObject({ error: { code: "WorkerCrashed", signal: "SIGSEGV" } });
    expect((await scorer.state()).cause?.traceback).toContain("score.py");
  });
});

describe("memory", () => {
  const HUNGRY = `
import json, time
kept = []
def run(data):
    for _ in range(json.loads(data)):
        kept.append(bytearray(b"x" * (10 * 1024 * 1024)))
        time.sleep(0.05)
    return len(kept)
`;

  it("over the limit ends the worker with a cause that names limit and use", async () => {
    const scorer = await scorers.readyPython(
      { "score.py": HUNGRY },
      { memoryGuard: "watchdog", memoryLimitBytes: 120 * 1024 * 1024 },
    );
    expect((await scorer.score(2)).json()).toBe(2);
    const answer = await scorer.score(100);
    expect(answer.status).toBe(424);
    expect(answer.json()).toMatchObject({
      error: { code: "OutOfMemory", message: expect.stringMatching(/limit 120 MiB, in use \d+ MiB/) },
    });
    // How far it gets beyond is a matter of who is quicker.
    expect(Number(/in use (\d+) MiB/.exec(answer.text)?.[1])).toBeGreaterThanOrEqual(120);
    await scorer.until(({ phase, workers }) => phase === "ready" && workers[0]?.restarts === 1);
    expect((await scorer.score(1)).json()).toBe(1);
  });

  it.skipIf(!canLimit)("over the limit of a cgroup is recognised as such (needs a writable cgroup v1)", async () => {
    const cgroup = join(CGROUPS, `slipway-test-${process.pid}`);
    mkdirSync(cgroup);
    try {
      writeFileSync(join(cgroup, "memory.limit_in_bytes"), String(100 * 1024 * 1024));
      const limits = { memoryGuard: "cgroup-v1", cgroup, memoryLimitBytes: 100 * 1024 * 1024 } as const;
      const scorer = await scorers.readyPython({ "score.py": HUNGRY }, limits);
      const answer = await scorer.score(100);
      expect(answer.json()).toMatchObject({
        error: { code: "OutOfMemory", message: expect.stringContaining("limit 100 MiB") },
      });
      await scorer.until(({ phase }) => phase === "ready");
      process.kill((await scorer.state()).workers[0]?.pid ?? 0, "SIGKILL");
      await scorer.until(({ cause }) => cause?.code === "WorkerCrashed");
      await scorer.dispose();
    } finally {
      await eventually(() => rmdirSync(cgroup));
    }
  });

  it("over the limit in init() fails the start", async () => {
    const scorer = scorers.python(
      {
        "score.py":
          "import time\ndef init():\n    global kept\n    kept = b'x' * (200 * 1024 * 1024)\n    time.sleep(60)\ndef run(data): pass\n",
      },
      { memoryGuard: "watchdog", memoryLimitBytes: 100 * 1024 * 1024 },
    );
    const { cause } = await scorer.until(({ phase }) => phase === "failed");
    expect(cause).toMatchObject({ code: "OutOfMemory", nextAction: expect.stringContaining("memory_gb") });
  });
});

describe("a run() that takes too long", () => {
  it("is interrupted and told where it was; the worker stays", async () => {
    const scorer = await scorers.readyPython({ "score.py": SLEEPER }, { scoringTimeoutMs: 1_500 });
    const answer = await scorer.score(30);
    expect(answer.status).toBe(424);
    expect(answer.json()).toMatchObject({
      error: {
        code: "ScoringTimeout",
        message: "run() was stopped after 1.5 s, the scoring timeout. It was in score.py, line 6.",
      },
    });
    expect((await scorer.score(0)).status).toBe(200);
    expect(await scorer.state()).toMatchObject({ workers: [{ restarts: 0 }] });
  });

  it("is ended with its worker when Python cannot interrupt it", async () => {
    const scorer = await scorers.readyPython(
      { "score.py": "def run(data):\n    return sum(range(10 ** 12)) if 'long' in data else 1\n" },
      { scoringTimeoutMs: 1_500 },
    );
    const answer = await scorer.score("long");
    expect(answer.status).toBe(424);
    expect(answer.json()).toMatchObject({
      error: { code: "ScoringTimeout", message: expect.stringContaining("could not be interrupted") },
    });
    await scorer.until(({ phase }) => phase === "ready");
    expect((await scorer.score("short")).json()).toBe(1);
  });
});

describe("the end of the scorer", () => {
  it("by SIGTERM finishes what is in work, refuses new connections, and leaves a reason and no sockets", async () => {
    const scorer = await scorers.readyPython({ "score.py": SLEEPER });
    const inWork = scorer.score(1.5);
    await expect.poll(() => scorer.log()).toMatch(/stdout: .*running/);
    scorer.process.kill("SIGTERM");
    await eventually(async () =>
      expect(
        await scorer.state().then(
          () => "open",
          () => "closed",
        ),
      ).toBe("closed"),
    );
    // Whoever stops it may lose patience, or die and start over: the drain goes on.
    scorer.process.kill("SIGTERM");
    expect((await inWork).status).toBe(200);
    expect(await scorer.exited()).toEqual({ code: 0, signal: null });
    expect(existsSync(scorer.config.httpSocket)).toBe(false);
    expect(existsSync(scorer.config.framesSocket)).toBe(false);
    const reason = JSON.parse(readFileSync(join(scorer.runFolder, "exit.json"), "utf8"));
    expect(reason).toEqual({ at: expect.any(String) });
  });

  it("by SIGTERM lets the script's exit handlers run", async () => {
    const scorer = await scorers.readyPython({
      "score.py": "import atexit\natexit.register(lambda: print('tidied up'))\ndef run(data): return 1\n",
    });
    scorer.process.kill("SIGTERM");
    await scorer.exited();
    expect(scorer.log()).toContain("worker-1 stdout: tidied up");
  });

  it("by SIGKILL ends the worker in the middle of run()", async () => {
    const scorer = await scorers.readyPython({
      "score.py": "def run(data):\n    print('running')\n    while True: pass\n",
    });
    const pid = (await scorer.state()).workers[0]?.pid ?? 0;
    const lost = scorer.score({}).then(
      () => "answered",
      () => "lost",
    );
    await expect.poll(() => scorer.log()).toMatch(/stdout: .*running/);
    scorer.process.kill("SIGKILL");
    expect(await lost).toBe("lost");
    await eventually(() => expect(isRunning(pid)).toBe(false));
  });
});

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
