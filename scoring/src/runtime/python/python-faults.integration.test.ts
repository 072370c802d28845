import { existsSync } from "node:fs";
import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import { eventually, type ScorerUnderTest } from "../../testing/scorer-under-test.ts";
import { startedScorers } from "../../testing/started-scorers.ts";

/** What scripts and callers do that nobody planned: the scorer must neither fall nor lie. */
const scorers = startedScorers();

const text = (body: string) => ({ method: "POST", body });

describe("a script that", () => {
  const NAUGHTY = `
import os, signal, sys, threading, time
def exit(): os._exit(9)
def system_exit(): raise SystemExit(3)
def interrupt(): raise KeyboardInterrupt()
def recursion(): return recursion()
def deep():
    value = []
    for _ in range(100000): value = [value]
    return value
def huge_number(): return 10 ** 5000
def nan(): return {"nan": float("nan")}
def surrogate(): return "\\ud800"
def folder(): os.chdir("/"); return os.getcwd()
def signals():
    for number in (signal.SIGALRM, signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    return "ignored"
def descriptors(): os.closerange(0, 20); return "closed"
def output(): sys.stdout = sys.stderr = None; print("into nothing"); return "redirected"
def fork():
    if os.fork() == 0:
        return "from the child"
    return "from the parent"
def daemon():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            open(os.environ["AML_APP_ROOT"] + "/daemon", "w").write(str(os.getpid()))
            time.sleep(600)
        os._exit(0)
    os.wait()
    return "daemon started"
def thread(): threading.Thread(target=time.sleep, args=(600,)).start(); return "thread started"
def hang(): time.sleep(600)
def binary():
    for fd in (1, 2):
        os.write(fd, b"\\x00\\xff\\xfe\\x80" * 1000000)
    sys.stdout.buffer.write(b"\\xff" * 100)
    return "printed"
def collector():
    import gc; gc.disable(); gc.set_threshold(1); return "disabled"
def run(data):
    return globals()[data]() if data in globals() else data
`;

  it.each([
    ["raises SystemExit", "system_exit", 424, "called sys.exit\\(3\\)"],
    ["raises KeyboardInterrupt", "interrupt", 424, "raised KeyboardInterrupt"],
    ["recurses without end", "recursion", 424, "RecursionError"],
    ["returns what is nested too deeply", "deep", 424, "RecursionError|recursion"],
    ["returns NaN", "nan", 200, '^{"nan": NaN}$'],
    ["returns half a character", "surrogate", 200, '^"\\\\ud800"$'],
    ["changes the folder", "folder", 200, "/"],
    ["ignores signals", "signals", 200, "ignored"],
    ["closes descriptors that it did not open", "descriptors", 200, "closed"],
    ["takes its output away", "output", 200, "redirected"],
    ["forks and comes back twice", "fork", 200, "from the parent"],
    ["leaves a thread behind", "thread", 200, "thread started"],
    ["prints megabytes of bytes without a line end", "binary", 200, "printed"],
    ["meddles with the garbage collector", "collector", 200, "disabled"],
  ])("%s answers as it should, and so does the next request", async (_, what, status, pattern) => {
    const scorer = await scorers.readyPython({ "score.py": NAUGHTY }, { scoringTimeoutMs: 1_500 });
    const answer = await scorer.ask("/score", text(what));
    expect([answer.status, answer.text]).toEqual([status, expect.stringMatching(pattern)]);
    expect((await scorer.ask("/score", text("next"))).json()).toBe("next");
    expect(await scorer.state()).toMatchObject({ phase: "ready", inFlight: 0, workers: [{ restarts: 0 }] });
    // Whatever it did to signals: run() is still interrupted.
    const late = await scorer.ask("/score", text("hang"));
    expect(late.json()).toMatchObject({ error: { code: "ScoringTimeout" } });
    expect(await scorer.state()).toMatchObject({ workers: [{ restarts: 0 }] });
    scorer.process.kill("SIGTERM");
    expect(await scorer.exited()).toEqual({ code: 0, signal: null });
  });

  it("returns a number that Python may not want to write out gets it refused or written, never wrong", async () => {
    const scorer = await scorers.readyPython({ "score.py": NAUGHTY });
    const answer = await scorer.ask("/score", text("huge_number"));
    if (answer.status === 200) expect(answer.text).toBe(`1${"0".repeat(5000)}`);
    else expect(answer.json()).toMatchObject({ error: { code: "ResultNotSerializable" } });
  });

  it("ends the process fails its own request alone", async () => {
    const scorer = await scorers.readyPython({ "score.py": NAUGHTY });
    const answer = await scorer.ask("/score", text("exit"));
    expect(answer.status).toBe(424);
    expect(answer.json()).toMatchObject({ error: { code: "WorkerCrashed", exitCode: 9 } });
    expect((await scorer.ask("/score", text("next"))).json()).toBe("next");
    expect(await scorer.state()).toMatchObject({ workers: [{ restarts: 1 }] });
  });

  it("starts a daemon cannot keep its worker's end from being noticed", async () => {
    const scorer = await scorers.readyPython({ "score.py": NAUGHTY });
    expect((await scorer.ask("/score", text("daemon"))).json()).toBe("daemon started");
    const daemon = await eventually(() => {
      const pid = Number(scorer.readFile("daemon"));
      expect(pid).toBeGreaterThan(0);
      return pid;
    });
    try {
      const began = performance.now();
      const answer = await scorer.ask("/score", text("exit"));
      expect(answer.json()).toMatchObject({ error: { code: "WorkerCrashed", exitCode: 9 } });
      expect(performance.now() - began).toBeLessThan(30_000);
      expect((await scorer.ask("/score", text("next"))).json()).toBe("next");
    } finally {
      // In a session of its own it outlives its worker where there is no sandbox.
      if (existsSync(`/proc/${daemon}`)) process.kill(daemon, "SIGKILL");
    }
  });
});

describe("a worker that is killed under load", () => {
  it("fails what it had in work, each once, and nothing else", async () => {
    const scorer = await scorers.readyPython(
      {
        "score.py": `
import os, time
done = os.environ["AML_APP_ROOT"] + "/done"
def run(data):
    with open(done, "a") as file:
        file.write(data + "\\n")
    time.sleep(0.01)
    return data
`,
      },
      { workers: 2 },
    );
    await scorer.until(({ workers }) => workers.every(({ phase }) => phase === "ready"));
    let next = 0;
    let killed = false;
    const statuses = new Map<string, number>();
    const caller = async () => {
      while (next < 600) {
        const id = `r${next++}`;
        if (next > 200 && !killed) {
          killed = true;
          process.kill((await scorer.state()).workers[0]?.pid ?? 0, "SIGKILL");
        }
        const answer = await scorer.ask("/score", text(id));
        expect(statuses.has(id)).toBe(false);
        statuses.set(id, answer.status);
        if (answer.status === 200) expect(answer.json()).toBe(id);
      }
    };
    await Promise.all(Array.from({ length: 8 }, caller));
    const failed = [...statuses.values()].filter((status) => status !== 200);
    expect(statuses.size).toBe(600);
    expect(failed.every((status) => status === 424)).toBe(true);
    // Quick as it is, at most a few were sent ahead to it.
    expect(failed.length).toBeLessThanOrEqual(4);
    const executed = scorer.readFile("done").trim().split("\n");
    expect(new Set(executed).size).toBe(executed.length);
  });
});

describe("a caller that", () => {
  const ECHO = { "score.py": "def run(data):\n    return len(data)\n" };

  it("closes its half of the connection counts as gone: its work is dropped", async () => {
    // Slow, or it may be answered before the end of the connection is seen.
    const scorer = await scorers.readyPython({
      "score.py": "import time\ndef run(data):\n    time.sleep(1)\n    return len(data)\n",
    });
    const answer = await talk(scorer, (socket) => {
      socket.end("POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab");
    });
    expect(answer).toBe("");
    await scorer.until(({ inFlight }) => inFlight === 0);
    expect((await scorer.score("x")).json()).toBe(3);
  });

  it("breaks off in the middle of a body leaves nothing behind", async () => {
    const scorer = await scorers.readyPython(ECHO);
    const answer = await talk(scorer, (socket) => {
      socket.write("POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nab");
      setTimeout(() => socket.destroy(), 50);
    });
    expect(answer).toBe("");
    expect((await scorer.score("x")).json()).toBe(3);
    expect(await scorer.state()).toMatchObject({ inFlight: 0 });
  });

  it.each([
    ["two lengths", "Content-Length: 2\r\nContent-Length: 3"],
    ["length and chunks", "Content-Length: 2\r\nTransfer-Encoding: chunked"],
    ["a broken header", "Bad Header: x"],
    ["a broken chunk", "Transfer-Encoding: chunked\r\n\r\nZZ\r\n"],
  ])("sends %s is refused", async (_, headers) => {
    const scorer = await scorers.readyPython(ECHO);
    const answer = await talk(scorer, (socket) => {
      socket.write(`POST /score HTTP/1.1\r\nHost: x\r\n${headers}\r\n\r\nab`);
    });
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect((await scorer.score("x")).json()).toBe(3);
  });

  it("gives an id that would harm the log gets another one", async () => {
    const scorer = await scorers.readyPython({ "score.py": "def run(data):\n    print('printed')\n    return 1\n" });
    const answer = await scorer.ask("/score", {
      method: "POST",
      body: "",
      headers: { "x-request-id": "a] forged [b", traceparent: "00-x] forged-y" },
    });
    expect(answer.headers["x-request-id"]).toMatch(/^[0-9a-f-]{36}$/);
    await expect.poll(() => scorer.log()).toContain(`[${answer.headers["x-request-id"]}] printed`);
    expect(scorer.log()).not.toContain("forged");
  });
});

/** Raw bytes to the scorer's HTTP socket; what comes back until the connection ends. */
function talk(scorer: ScorerUnderTest, say: (socket: ReturnType<typeof connect>) => void): Promise<string> {
  return new Promise((resolve) => {
    let heard = "";
    const socket = connect({ path: scorer.config.httpSocket, allowHalfOpen: true }, () => say(socket));
    socket.on("data", (data) => {
      heard += data.toString("latin1");
    });
    socket.on("error", () => {});
    socket.on("end", () => socket.destroy());
    socket.on("close", () => resolve(heard));
  });
}
