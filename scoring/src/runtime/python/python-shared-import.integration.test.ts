import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { eventually, isRunning, type ScorerUnderTest } from "../../testing/scorer-under-test.ts";
import { startedScorers } from "../../testing/started-scorers.ts";
import { ensureV1Environment } from "../../testing/v1-environment.ts";

/** Several workers that share one import of the script (python/slipway_worker/template.py). */
const scorers = startedScorers();

const allReady = (scorer: ScorerUnderTest) =>
  scorer.until(({ workers }) => workers.every(({ phase }) => phase === "ready"));
const parentOf = (pid: number) => Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
const isShared = async (scorer: ScorerUnderTest) => {
  const { workers } = await allReady(scorer);
  return workers.every(({ pid }) => parentOf(pid) !== scorer.process.pid);
};

const SCRIPT = `
import os, time, random
print("imported by", os.getpid())
inits = []
def init():
    inits.append(os.getpid())
    print("init in", os.getpid())
def run(data):
    if data == "exit": os._exit(5)
    if data == "hang": time.sleep(600)
    if data == "leak": globals()["kept"] = b"x" * (150 * 1024 * 1024)
    time.sleep(0.05)
    return {"pid": os.getpid(), "inits": inits, "random": random.random()}
`;

describe("several workers", () => {
  it("import the script once, and each calls init() for itself", async () => {
    const scorer = await scorers.readyPython({ "score.py": SCRIPT }, { workers: 3 });
    expect(await isShared(scorer)).toBe(true);
    const answers = await Promise.all(Array.from({ length: 12 }, () => scorer.score("")));
    const told = answers.map((answer) => answer.json() as { pid: number; inits: number[]; random: number });
    const pids = new Set(told.map(({ pid }) => pid));
    expect(pids).toEqual(new Set((await scorer.state()).workers.map(({ pid }) => pid)));
    for (const { pid, inits } of told) expect(inits).toEqual([pid]);
    expect(new Set(told.map(({ random }) => random)).size).toBe(told.length);
    for (const name of ["worker-1", "worker-2", "worker-3"]) {
      await expect.poll(() => scorer.log()).toMatch(new RegExp(`${name} stdout: init in`));
    }
    expect(scorer.log().match(/imported by/g)).toHaveLength(1);
    scorer.process.kill("SIGTERM");
    expect(await scorer.exited()).toEqual({ code: 0, signal: null });
    for (const pid of pids) expect(isRunning(pid)).toBe(false);
  });

  it("are replaced by new forks when they crash, and by processes of their own when there are no seats left", async () => {
    const scorer = await scorers.readyPython({ "score.py": SCRIPT }, { workers: 2 });
    await allReady(scorer);
    let imports = 1;
    for (let restarts = 1; restarts <= 5; restarts += 1) {
      const answer = await scorer.ask("/score", { method: "POST", body: "exit" });
      expect(answer.json()).toMatchObject({ error: { code: "WorkerCrashed", exitCode: 5 } });
      const { workers } = await scorer.until(
        (state) =>
          state.workers.reduce((sum, worker) => sum + worker.restarts, 0) === restarts &&
          state.workers.every(({ phase }) => phase === "ready"),
      );
      expect(workers).toHaveLength(2);
      if (restarts <= 4) expect(await isShared(scorer)).toBe(true);
      else imports += 1;
    }
    await expect.poll(() => scorer.log().match(/imported by/g)).toHaveLength(imports);
    expect((await scorer.score("")).status).toBe(200);
  });

  it("end one by one: a hanging one is killed, a leaking one is named, a killed one is replaced", async () => {
    const scorer = await scorers.readyPython(
      { "score.py": SCRIPT.replace("time.sleep(600)", "sum(range(10 ** 12))") },
      { workers: 2, scoringTimeoutMs: 2_000, memoryGuard: "watchdog", memoryLimitBytes: 140 * 1024 * 1024 },
    );
    expect(await isShared(scorer)).toBe(true);
    const hanging = scorer.ask("/score", { method: "POST", body: "hang" });
    const others = await Promise.all(Array.from({ length: 6 }, () => scorer.score("")));
    expect(others.map(({ status }) => status)).toEqual(others.map(() => 200));
    expect((await hanging).json()).toMatchObject({ error: { code: "ScoringTimeout" } });
    await allReady(scorer);
    await scorer.ask("/score", { method: "POST", body: "leak" });
    await expect.poll(() => scorer.log()).toMatch(/worker-\d was stopped because it used more memory.*limit 140 MiB/);
    await allReady(scorer);
    process.kill((await scorer.state()).workers[1]?.pid ?? 0, "SIGKILL");
    await expect.poll(() => scorer.log()).toContain("worker-2 ended by SIGKILL while it was answering requests.");
    await allReady(scorer);
    expect(await isShared(scorer)).toBe(true);
  });

  it("outlive nothing: with their template gone they are started anew, and SIGKILL of the scorer ends all", async () => {
    const scorer = await scorers.readyPython({ "score.py": SCRIPT }, { workers: 2 });
    const before = (await allReady(scorer)).workers.map(({ pid }) => pid);
    const template = parentOf(before[0] ?? 0);
    process.kill(template, "SIGKILL");
    const after = await scorer.until(({ workers }) =>
      workers.every(({ phase, pid }) => phase === "ready" && !before.includes(pid)),
    );
    expect((await scorer.score("")).status).toBe(200);
    await eventually(() => {
      for (const pid of before) expect(isRunning(pid)).toBe(false);
    });
    scorer.process.kill("SIGKILL");
    await eventually(() => {
      for (const { pid } of after.workers) expect(isRunning(pid)).toBe(false);
    });
  });

  it("tell a failed import once for all, and a failed init() each", async () => {
    const broken = scorers.python({ "score.py": "import missing_package\n" }, { workers: 3 });
    const { workers, cause } = await broken.until(({ phase }) => phase === "failed");
    expect(cause).toMatchObject({ code: "ImportError", file: "score.py", line: 1 });
    expect(workers.map(({ phase, restarts }) => [phase, restarts])).toEqual(workers.map(() => ["failed", 0]));
    const uninitialised = scorers.python(
      { "score.py": "def init():\n    raise ValueError('no model')\ndef run(data): pass\n" },
      { workers: 2 },
    );
    expect((await uninitialised.until(({ phase }) => phase === "failed")).cause).toMatchObject({ code: "InitFailed" });
    const hanging = scorers.python(
      { "score.py": "def init():\n    while True: pass\ndef run(data): pass\n" },
      { workers: 2, startTimeoutMs: 5_000 },
    );
    expect((await hanging.until(({ phase }) => phase === "failed")).cause).toMatchObject({
      code: "StartTimeout",
      file: "score.py",
      line: 2,
    });
  });
});

describe("workers do not share what a fork would break", () => {
  it.each([
    ["threads", "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"],
    ["files or connections", "file = open(__file__)\n"],
    ["files or connections", "import socket\nconnection = socket.socket()\n"],
    ["processes", "import subprocess\nchild = subprocess.Popen(['sleep', '60'])\n"],
  ])("%s", async (reason, importing) => {
    const scorer = await scorers.readyPython({ "score.py": `${importing}${SCRIPT}` }, { workers: 2 });
    expect(await isShared(scorer)).toBe(false);
    await expect.poll(() => scorer.log()).toMatch(new RegExp(`Each worker imports the script itself: it .* ${reason}`));
    expect((await scorer.score("")).status).toBe(200);
  });

  it("what the image forbids", async () => {
    const scorer = await scorers.readyPython({ "score.py": SCRIPT }, { workers: 2, env: { WORKER_PRELOAD: "false" } });
    expect(await isShared(scorer)).toBe(false);
  });
});

describe("NumPy", () => {
  const python = join(ensureV1Environment(), "python");
  const script = (seed: string) => `
import os, time, numpy as np
${seed}
def run(data):
    time.sleep(0.1)
    return [os.getpid(), float(np.random.rand())]
`;
  const numbers = async (seed: string) => {
    const scorer = await scorers.readyPython(
      { "score.py": script(seed) },
      { workers: 2, threads: 2, command: [python] },
    );
    expect(await isShared(scorer)).toBe(true);
    const answers = await Promise.all([scorer.score(""), scorer.score("")]);
    const [one, other] = answers.map((answer) => answer.json() as [number, number]);
    expect(one?.[0]).not.toBe(other?.[0]);
    return [one?.[1], other?.[1]];
  };

  it("with threads of its own is shared; its random numbers differ, unless the script has chosen a seed", async () => {
    const [one, other] = await numbers("");
    expect(one).not.toBe(other);
    const [first, second] = await numbers("np.random.seed(7)");
    expect(first).toBe(second);
  });
});
