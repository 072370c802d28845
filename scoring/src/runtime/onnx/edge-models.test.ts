import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { openRotatingLog } from "../../rotating-log.ts";
import { edgeModels } from "./edge-models.ts";
import type { ModelSession } from "./model-session.ts";
import type { OnnxJob, RunCount } from "./onnx-message.ts";

const folder = mkdtempSync(join(tmpdir(), "slipway-edge-"));
const log = openRotatingLog(join(folder, "log"));
afterAll(() => {
  log.close();
  rmSync(folder, { recursive: true });
});

const job = (id: number, value = id): OnnxJob => ({
  ...{ id, form: "score", model: undefined, contentType: undefined, accept: undefined, jsonLength: undefined },
  payload: Buffer.from(JSON.stringify({ x: [value] })),
});

/** y = x, after `ms` of work. */
function modelThatTakes(ms: () => number) {
  const session: ModelSession = {
    schema: {
      name: "m",
      inputs: [{ name: "x", type: "float32", shape: ["n"] }],
      outputs: [{ name: "y", type: "float32", shape: ["n"] }],
    },
    async run(inputs) {
      const until = performance.now() + ms();
      while (performance.now() < until);
      return inputs.map((input) => ({ ...input, name: "y" }));
    },
  };
  return new Map([["m", { session, maxRows: 64 }]]);
}

it("answers what came together with one run, and leaves out what was dropped", async () => {
  const got = new Map<number, string>();
  const counts: RunCount[] = [];
  const edge = edgeModels(
    modelThatTakes(() => 0),
    "1",
    log,
    (answers, counted) => {
      counts.push(counted);
      for (const { id, body } of answers) got.set(id, Buffer.from(body).toString());
    },
  );
  for (let id = 0; id < 100; id += 1) edge.add(job(id));
  edge.drop(7);
  await expect.poll(() => got.size).toBe(99);
  expect(got.has(7)).toBe(false);
  expect(got.get(99)).toBe('{"y":[99]}');
  expect(counts).toEqual([
    { runs: 1, requests: 64 },
    { runs: 1, requests: 35 },
  ]);
});

it("leaves large bodies to the threads, and everything when the model turns out to be slow", async () => {
  let ms = 30;
  let answered = 0;
  const edge = edgeModels(
    modelThatTakes(() => ms),
    "1",
    log,
    (answers) => {
      answered += answers.length;
    },
  );
  expect(edge.takes(new Uint8Array(16 * 1024))).toBe(true);
  expect(edge.takes(new Uint8Array(16 * 1024 + 1))).toBe(false);
  const run = async (id: number) => {
    edge.add(job(id));
    await expect.poll(() => answered).toBe(id);
  };
  await run(1);
  await run(2);
  expect(edge.takes(new Uint8Array(1))).toBe(true);
  await run(3);
  expect(edge.takes(new Uint8Array(1))).toBe(false);
  ms = 0;
  await run(4);
  expect(edge.takes(new Uint8Array(1))).toBe(false);
});
