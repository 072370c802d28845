import { request } from "node:http";
import { describe, expect, it } from "vitest";
import { eventually, type ScorerUnderTest } from "../../testing/scorer-under-test.ts";
import { startedScorers } from "../../testing/started-scorers.ts";

const scorers = startedScorers();

describe("a streamed answer", () => {
  /** Yields 400 MB in pieces of 100 kB, and tells in a file how far it came. */
  const endless = (kind: "def" | "async def") => `
import os
progress = os.environ["AML_APP_ROOT"] + "/progress"
${kind} run(data):
    try:
        for n in range(4000):
            open(progress, "w").write(str(n))
            yield b"x" * 100000
    finally:
        open(progress + ".closed", "w").write("closed")
`;

  it.each(["def", "async def"] as const)("of a %s waits for its reader, and stops when that is gone", async (kind) => {
    const scorer = await scorers.readyPython({ "score.py": endless(kind) });
    const reader = await readNothing(scorer);
    const stands = await standstill(() => Number(scorer.readFile("progress")));
    // 1 MiB on its way from the worker, and what sockets and Node's own buffers hold.
    expect(stands).toBeLessThan(100);
    reader.destroy();
    await eventually(() => expect(scorer.readFile("progress.closed")).toBe("closed"));
    await scorer.until(({ inFlight, workers }) => inFlight === 0 && workers[0]?.restarts === 0);
  });

  it.each(["def", "async def"] as const)(
    "of a %s is broken off when nobody reads for the scoring timeout",
    async (kind) => {
      const scorer = await scorers.readyPython({ "score.py": endless(kind) }, { scoringTimeoutMs: 1_000 });
      const reader = await readNothing(scorer);
      await expect.poll(() => scorer.log()).toContain("The answer was read too slowly.");
      await scorer.until(({ inFlight, workers }) => inFlight === 0 && workers[0]?.restarts === 0);
      reader.destroy();
    },
  );

  it("comes whole when it is read", async () => {
    const scorer = await scorers.readyPython({
      "score.py": "def run(data):\n    for n in range(200):\n        yield bytes([n]) * 100000\n",
    });
    const answer = await scorer.score({});
    expect(answer.headers["content-type"]).toBe("application/octet-stream");
    expect(answer.bytes.length).toBe(20_000_000);
    expect(answer.bytes.every((value, index) => value === Math.floor(index / 100_000))).toBe(true);
  });

  it("arrives piece by piece, and each piece may take as long as a whole run()", async () => {
    const scorer = await scorers.readyPython(
      {
        "score.py": `
import time
def run(data):
    for n in range(4):
        yield str(n)
        time.sleep(30 if data == "hang" and n == 2 else 0.8)
`,
      },
      { scoringTimeoutMs: 3_000 },
    );
    expect((await scorer.ask("/score", { method: "POST", body: "" })).text).toBe("0123");
    await expect(scorer.ask("/score", { method: "POST", body: "hang" })).rejects.toThrow();
    await expect.poll(() => scorer.log()).toContain("run() was stopped after 3 s, the scoring timeout.");
    expect(await scorer.state()).toMatchObject({ workers: [{ restarts: 0 }] });
  });
});

/** Asks, and takes the head of the answer only. */
function readNothing(scorer: ScorerUnderTest): Promise<{ destroy(): void }> {
  return new Promise((resolve, reject) => {
    const asked = request(
      { socketPath: scorer.config.httpSocket, path: "/score", method: "POST", agent: false },
      (response) => {
        response.pause();
        response.on("error", () => {});
        resolve({ destroy: () => asked.destroy() });
      },
    );
    asked.on("error", reject);
    asked.end("{}");
  });
}

/** The value that stays the same for half a second. */
async function standstill(read: () => number): Promise<number> {
  for (let last = Number.NaN; ; ) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    const now = read();
    if (now > 0 && now === last) return now;
    last = now;
  }
}
