import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { eventually } from "../../testing/scorer-under-test.ts";
import { startedScorers } from "../../testing/started-scorers.ts";

const scorers = startedScorers();

const SCRIPT = `
import asyncio, json, os
running = most = cancelled = 0
loops = set()
async def init():
    loops.add(id(asyncio.get_event_loop()))
async def run(data, request_headers):
    global running, most, cancelled
    job = json.loads(data)
    loops.add(id(asyncio.get_event_loop()))
    running += 1
    most = max(most, running)
    try:
        print("begin", job["name"])
        await asyncio.sleep(job.get("seconds", 0))
        while most < job.get("together", 0) or not os.path.exists(job.get("file", "/")):
            await asyncio.sleep(0.01)
        print("end", job["name"])
        if job.get("fail"):
            raise ValueError(job["name"])
        return {"name": job["name"], "most": most, "loops": len(loops), "cancelled": cancelled, "pid": os.getpid()}
    except asyncio.CancelledError:
        cancelled += 1
        raise
    finally:
        running -= 1
`;

it("runs the requests of an async run() side by side, on one event loop", async () => {
  const scorer = await scorers.readyPython({ "score.py": SCRIPT });
  // None ends before all have begun.
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, index) => scorer.score({ name: `r${index}`, together: 20 })),
  );
  expect(answers.map((answer) => (answer.json() as { name: string }).name)).toEqual(
    Array.from({ length: 20 }, (_, index) => `r${index}`),
  );
  expect((await scorer.score({ name: "last" })).json()).toMatchObject({ most: 20, loops: 1 });
});

it("answers each in its own time, fails only the one that fails, and tells their lines apart", async () => {
  const scorer = await scorers.readyPython({ "score.py": SCRIPT });
  const ask = (id: string, job: Record<string, unknown>) =>
    scorer.ask("/score", {
      method: "POST",
      body: JSON.stringify({ name: id, ...job }),
      headers: { "x-request-id": id },
    });
  const go = (name: string) => join(scorer.runFolder, "app", name);
  const slow = ask("slow", { file: go("slow") });
  const bad = ask("bad", { file: go("bad"), fail: true });
  expect((await ask("quick", {})).status).toBe(200);
  writeFileSync(go("bad"), "");
  const failed = await bad;
  expect(failed.status).toBe(424);
  expect(failed.json()).toMatchObject({
    error: { code: "RunFailed", message: "run() raised ValueError: bad (score.py, line 20).", requestId: "bad" },
  });
  writeFileSync(go("slow"), "");
  expect((await slow).status).toBe(200);
  await expect.poll(() => scorer.log()).toContain("[slow] end slow");
  for (const name of ["slow", "bad", "quick"]) expect(scorer.log()).toContain(`[${name}] begin ${name}`);
});

it("is cancelled at the scoring timeout with the line where it waited, and others go on", async () => {
  const scorer = await scorers.readyPython({ "score.py": SCRIPT }, { scoringTimeoutMs: 2_000 });
  const [late, inTime] = await Promise.all([
    scorer.score({ name: "late", seconds: 30 }),
    scorer.score({ name: "in time", seconds: 0.2 }),
  ]);
  expect(late.status).toBe(424);
  expect(late.json()).toMatchObject({
    error: {
      code: "ScoringTimeout",
      message: "run() was stopped after 2 s, the scoring timeout. It was in score.py, line 15.",
    },
  });
  expect(inTime.status).toBe(200);
  expect((await scorer.score({ name: "x" })).json()).toMatchObject({ cancelled: 1 });
});

it("is cancelled when its caller goes away", async () => {
  const scorer = await scorers.readyPython({ "score.py": SCRIPT });
  const controller = new AbortController();
  const left = scorer.ask("/score", {
    method: "POST",
    body: JSON.stringify({ name: "left", seconds: 30 }),
    signal: controller.signal,
  });
  await expect.poll(() => scorer.log()).toContain("begin left");
  controller.abort();
  await expect(left).rejects.toThrow();
  await eventually(async () => expect((await scorer.score({ name: "x" })).json()).toMatchObject({ cancelled: 1 }));
  expect(await scorer.state()).toMatchObject({ inFlight: 0, workers: [{ restarts: 0 }] });
});

it("is ended with its worker when it blocks the event loop", async () => {
  const scorer = await scorers.readyPython(
    { "score.py": "import time\nasync def run(data):\n    time.sleep(600 if data == 'block' else 0)\n    return 1\n" },
    { scoringTimeoutMs: 1_500 },
  );
  const answer = await scorer.ask("/score", { method: "POST", body: "block" });
  expect(answer.json()).toMatchObject({ error: { code: "ScoringTimeout" } });
  await scorer.until(({ phase }) => phase === "ready");
  expect((await scorer.score("")).json()).toBe(1);
});

it("shares its requests with other workers", async () => {
  const scorer = await scorers.readyPython({ "score.py": SCRIPT }, { workers: 2 });
  await scorer.until(({ workers }) => workers.every(({ phase }) => phase === "ready"));
  const answers = await Promise.all(
    Array.from({ length: 10 }, (_, index) => scorer.score({ name: `${index}`, seconds: 1 })),
  );
  expect(new Set(answers.map((answer) => (answer.json() as { pid: number }).pid)).size).toBe(2);
});
