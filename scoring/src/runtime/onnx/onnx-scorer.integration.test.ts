import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { onnxModel } from "../../testing/onnx-model.ts";
import { eventually } from "../../testing/scorer-under-test.ts";
import { startedScorers } from "../../testing/started-scorers.ts";

const scorers = startedScorers();

/** y = x · w, from three numbers to two */
const LINEAR = onnxModel({
  inputs: [{ name: "x", type: "float32", shape: ["rows", 3] }],
  outputs: [{ name: "y", type: "float32", shape: ["rows", 2] }],
  nodes: [{ op: "MatMul", inputs: ["x", "w"], outputs: ["y"] }],
  weights: [{ name: "w", dims: [3, 2], values: [1, 0, 0, 1, 10, 100] }],
});
const SUM = onnxModel({
  inputs: [
    { name: "a", type: "int64", shape: ["n"] },
    { name: "b", type: "int64", shape: ["n"] },
  ],
  outputs: [{ name: "sum", type: "int64", shape: ["n"] }],
  nodes: [{ op: "Add", inputs: ["a", "b"], outputs: ["sum"] }],
});

describe("an ONNX model", () => {
  it("answers with its outputs by name, in several threads", async () => {
    const scorer = scorers.onnx({ "linear.onnx": LINEAR }, { workers: 2 });
    const state = await scorer.until(
      ({ phase, workers }) => phase === "ready" && workers.every((one) => one.phase === "ready"),
    );
    expect(state.timings).toEqual({ load: expect.any(Number), warmUp: expect.any(Number) });
    const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => scorer.score({ data: [[n, 2, 3]] })));
    expect(answers.map((answer) => answer.json())).toEqual(
      Array.from({ length: 20 }, (_, n) => ({ y: [[n + 30, 302]] })),
    );
    expect(
      (
        await scorer.score({
          x: [
            [1, 2, 3],
            [0, 0, 0],
          ],
        })
      ).json(),
    ).toEqual({
      y: [
        [31, 302],
        [0, 0],
      ],
    });
  });

  it("tells the caller's mistakes with 400", async () => {
    const scorer = scorers.onnx({ "linear.onnx": LINEAR });
    await scorer.until(({ phase }) => phase === "ready");
    const wrong = await scorer.score({ data: [[1, 2]] });
    expect(wrong.status).toBe(400);
    expect(wrong.headers["x-ms-run-function-failed"]).toBe("false");
    expect(wrong.json()).toMatchObject({
      error: { code: "ShapeMismatch", message: expect.stringContaining("[rows, 3]") },
    });
    expect((await scorer.ask("/score", { method: "POST", body: "no json" })).status).toBe(400);
    expect((await scorer.score({ data: [[1, 2, 3]] })).status).toBe(200);
  });

  it("tells a failure inside the model with 424", async () => {
    const scorer = scorers.onnx({ "sum.onnx": SUM });
    await scorer.until(({ phase }) => phase === "ready");
    const failed = await scorer.score({ a: [1, 2], b: [1, 2, 3] });
    expect(failed.status).toBe(424);
    expect(failed.json()).toMatchObject({ error: { code: "RunFailed", message: expect.stringContaining("sum") } });
    expect((await scorer.score({ a: [1, 2], b: [3, 4] })).json()).toEqual({ sum: [4, 6] });
  });

  it("is chosen by its name where there are several", async () => {
    const scorer = scorers.onnx({ "linear.onnx": LINEAR, "sum.onnx": SUM });
    await scorer.until(({ phase }) => phase === "ready");
    const ask = (model: string) => scorer.ask(`/score?model=${model}`, { method: "POST", body: '{"a":[1],"b":[2]}' });
    expect((await ask("sum")).json()).toEqual({ sum: [3] });
    const unknown = await ask("other");
    expect(unknown.status).toBe(404);
    expect(unknown.json()).toMatchObject({
      error: { code: "ModelNotFound", message: expect.stringContaining("linear, sum") },
    });
  });

  it("describes itself in swagger.json", async () => {
    const scorer = scorers.onnx({ "linear.onnx": LINEAR });
    await scorer.until(({ phase }) => phase === "ready");
    const document = (await scorer.ask("/swagger.json")).json() as { definitions: Record<string, unknown> };
    expect(document.definitions.ServiceInput).toEqual({
      type: "object",
      required: ["x"],
      properties: {
        x: {
          type: "array",
          description: "float32 [rows, 3]",
          items: { type: "array", minItems: 3, maxItems: 3, items: { type: "number" } },
        },
      },
      example: { x: [[0, 0, 0]] },
    });
    const example = (document.definitions.ServiceInput as { example: unknown }).example;
    expect((await scorer.score(example)).json()).toEqual({ y: [[0, 0]] });
  });

  it("that cannot be read fails the start, naming the model", async () => {
    const scorer = scorers.onnx({ "broken.onnx": "this is no model" });
    const { cause } = await scorer.until(({ phase }) => phase === "failed");
    expect(cause).toMatchObject({ code: "ModelUnreadable", message: expect.stringContaining("broken") });
    expect((await scorer.score({})).json()).toMatchObject({ error: { code: "ModelUnreadable" } });
    const other = scorers.onnx({
      "other.onnx": onnxModel({
        inputs: [{ name: "x", type: "bfloat16", shape: [1] }],
        outputs: [{ name: "y", type: "bfloat16", shape: [1] }],
        nodes: [{ op: "Identity", inputs: ["x"], outputs: ["y"] }],
      }),
    });
    expect((await other.until(({ phase }) => phase === "failed")).cause?.message).toContain("Unsupported data type");
  });

  it("tells nobody that it runs", async () => {
    const scorer = scorers.onnx({ "linear.onnx": LINEAR });
    await scorer.until(({ phase }) => phase === "ready");
    expect((await scorer.score({ data: [[1, 2, 3]] })).status).toBe(200);
    // What ONNX Runtime's telemetry writes first.
    expect(existsSync(`/tmp/mat-debug-${scorer.process.pid}.log`)).toBe(false);
  });

  it("that takes too long is given up, and answers the next one", async () => {
    const scorer = scorers.onnx({ "linear.onnx": LINEAR }, { scoringTimeoutMs: 20 });
    await scorer.until(({ phase }) => phase === "ready");
    const slow = await scorer.score({ data: Array.from({ length: 300_000 }, () => [1, 2, 3]) });
    expect(slow.status).toBe(424);
    expect(slow.json()).toMatchObject({ error: { code: "ScoringTimeout" } });
    await eventually(async () =>
      expect((await scorer.score({ data: [[1, 2, 3]] })).json()).toEqual({ y: [[31, 302]] }),
    );
    expect(await scorer.state()).toMatchObject({ phase: "ready", workers: [{ restarts: 0 }] });
  });

  it("over its memory ends the scorer with the reason", async () => {
    const scorer = scorers.onnx({ "linear.onnx": LINEAR }, { memoryGuard: "watchdog", memoryLimitBytes: 1024 * 1024 });
    expect((await scorer.exited()).code).not.toBe(0);
    const reason = JSON.parse(readFileSync(join(scorer.runFolder, "exit.json"), "utf8"));
    expect(reason.cause).toMatchObject({ code: "OutOfMemory", message: expect.stringContaining("limit 1 MiB") });
  });

  it("ends at SIGTERM while it loads", async () => {
    const scorer = scorers.onnx({ "linear.onnx": LINEAR }, { workers: 2 });
    await scorer.until(({ phase }) => phase === "starting");
    scorer.process.kill("SIGTERM");
    expect(await scorer.exited()).toEqual({ code: 0, signal: null });
    expect(JSON.parse(readFileSync(join(scorer.runFolder, "exit.json"), "utf8"))).toEqual({ at: expect.any(String) });
  });

  it("ends at SIGTERM", async () => {
    const scorer = scorers.onnx({ "linear.onnx": LINEAR });
    await scorer.until(({ phase }) => phase === "ready");
    scorer.process.kill("SIGTERM");
    expect(await scorer.exited()).toEqual({ code: 0, signal: null });
  });
});
