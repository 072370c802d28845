import { afterEach, describe, expect, it } from "vitest";
import { type ScorerUnderTest, startPythonScorer } from "./testing/scorer-under-test.ts";

const started: ScorerUnderTest[] = [];

function scorerOf(...args: Parameters<typeof startPythonScorer>): ScorerUnderTest {
  const scorer = startPythonScorer(...args);
  started.push(scorer);
  return scorer;
}

const ready = (scorer: ScorerUnderTest) => scorer.until(({ phase }) => phase === "ready");
const failed = (scorer: ScorerUnderTest) => scorer.until(({ phase }) => phase === "failed");

afterEach(async () => {
  await Promise.all(started.splice(0).map((scorer) => scorer.dispose()));
});

describe("a score.py", () => {
  it("gets init() once and run() with the body as text, in order", async () => {
    const scorer = scorerOf({
      "score.py": `
import json, os
calls = {"init": 0, "run": 0}
def init():
    calls["init"] += 1
def run(data):
    calls["run"] += 1
    return {"type": type(data).__name__, "sum": sum(json.loads(data)["data"]), "folder": os.getcwd(), **calls}
`,
    });
    const state = await ready(scorer);
    expect(state).toMatchObject({
      nonce: "nonce-1",
      replicaId: "r1",
      inFlight: 0,
      workers: [{ phase: "ready", restarts: 0 }],
    });
    expect(Object.keys(state.timings)).toEqual(["interpreter", "import", "init"]);
    const first = await scorer.score({ data: [1, 2, 3] });
    expect(first.status).toBe(200);
    expect(first.headers["content-type"]).toBe("application/json");
    expect(first.json()).toEqual({ type: "str", sum: 6, folder: `${scorer.runFolder}/app`, init: 1, run: 1 });
    expect((await scorer.score({ data: [4] })).json()).toMatchObject({ sum: 4, init: 1, run: 2 });
  });
});
