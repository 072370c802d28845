import { describe, expect, it } from "vitest";
import { readInferenceMessage } from "../../protocol/open-inference-protobuf.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { answerJobs, type RunnableModel } from "./answer-jobs.ts";
import type { ModelSession } from "./model-session.ts";
import type { OnnxJob } from "./onnx-message.ts";
import { warmUp } from "./warm-up.ts";

const float = (name: string, dims: number[], values: number[]): Tensor => ({
  name,
  type: "float32",
  dims,
  data: new Float32Array(values),
});

/** A model in plain TypeScript that counts its runs: `each` computes an output row from an input row. */
function model(name: string, compute: (rows: number[][]) => number[][], shape: (number | string)[] = ["rows", 2]) {
  const runs: number[] = [];
  const session: ModelSession = {
    schema: {
      name,
      inputs: [{ name: "x", type: "float32", shape }],
      outputs: [{ name: "y", type: "float32", shape: [shape[0] as string, 2] }],
    },
    async run([x]) {
      const data = [...((x as Tensor).data as Float32Array)];
      const rows = Array.from({ length: (x as Tensor).dims[0] as number }, (_, row) =>
        data.slice(row * 2, row * 2 + 2),
      );
      runs.push(rows.length);
      const out = compute(rows);
      return [float("y", [out.length, 2], out.flat())];
    },
  };
  return { session, runs };
}

const double = (rows: number[][]) => rows.map((row) => row.map((value) => value * 2));
const score = (id: number, rows: unknown, fields: Partial<OnnxJob> = {}): OnnxJob => ({
  id,
  form: "score",
  model: undefined,
  contentType: undefined,
  accept: undefined,
  jsonLength: undefined,
  payload: Buffer.from(JSON.stringify({ x: rows })),
  ...fields,
});
const byId = async (models: ReadonlyMap<string, RunnableModel>, jobs: readonly OnnxJob[]) => {
  const { answers, counted } = await answerJobs(models, "3", jobs);
  const found = new Map(answers.map(({ id, status, body }) => [id, [status, Buffer.from(body).toString()] as const]));
  return { found, counted, answers };
};

describe("jobs", () => {
  it("of one signature share a run, and each gets its own rows", async () => {
    const { session, runs } = model("m", double);
    const { found, counted } = await byId(new Map([["m", { session, maxRows: 64 }]]), [
      score(1, [[1, 2]]),
      score(2, [
        [3, 4],
        [5, 6],
      ]),
      score(3, "no rows"),
      score(4, [[7, 8]]),
    ]);
    expect(runs).toEqual([4]);
    expect(counted).toEqual({ runs: 1, requests: 3 });
    expect(found.get(1)).toEqual([200, '{"y":[[2,4]]}']);
    expect(found.get(2)).toEqual([200, '{"y":[[6,8],[10,12]]}']);
    expect(found.get(3)?.[0]).toBe(400);
    expect(found.get(4)).toEqual([200, '{"y":[[14,16]]}']);
  });

  it("go into as many runs as the rows need", async () => {
    const { session, runs } = model("m", double);
    const jobs = Array.from({ length: 5 }, (_, id) => score(id, [[id, 0]]));
    await byId(new Map([["m", { session, maxRows: 2 }]]), jobs);
    expect(runs).toEqual([2, 2, 1]);
    runs.length = 0;
    await byId(new Map([["m", { session, maxRows: 1 }]]), jobs);
    expect(runs).toEqual([1, 1, 1, 1, 1]);
  });

  it("are run one by one when a run together fails, so that one does not spoil the others", async () => {
    const { session, runs } = model("m", (rows) => {
      if (rows.some(([value]) => value === 13)) throw new Error("unlucky");
      return double(rows);
    });
    const { found } = await byId(new Map([["m", { session, maxRows: 64 }]]), [score(1, [[1, 1]]), score(2, [[13, 1]])]);
    expect(runs).toEqual([2, 1, 1]);
    expect(found.get(1)?.[0]).toBe(200);
    expect(found.get(2)).toEqual([424, expect.stringContaining("The model m failed: unlucky")]);
  });

  it("name their model in the body or beside it where there are several", async () => {
    const models = new Map([
      ["a", { session: model("a", double).session, maxRows: 64 }],
      ["b", { session: model("b", (rows) => rows).session, maxRows: 64 }],
    ]);
    const body = (value: unknown) => Buffer.from(JSON.stringify(value));
    const { found } = await byId(models, [
      score(1, null, { payload: body({ model: "a", data: [[1, 2]] }) }),
      score(2, [[1, 2]], { model: "b" }),
      score(3, [[1, 2]]),
      score(4, [[1, 2]], { model: "c" }),
    ]);
    expect(found.get(1)).toEqual([200, '{"y":[[2,4]]}']);
    expect(found.get(2)).toEqual([200, '{"y":[[1,2]]}']);
    expect(found.get(3)).toEqual([400, expect.stringContaining("several models: a, b")]);
    expect(found.get(4)).toEqual([404, expect.stringContaining("no model c here")]);
  });

  it("of all protocols share a run, and are answered in their own", async () => {
    const { session, runs } = model("m", double);
    const rest = { id: "r", inputs: [{ name: "x", shape: [1, 2], datatype: "FP32", data: [1, 2] }] };
    const grpc = Buffer.from("0a0a0178", "hex");
    const { answers } = await byId(new Map([["m", { session, maxRows: 64 }]]), [
      score(1, [[1, 2]]),
      score(2, null, { form: "rest", model: "m", payload: Buffer.from(JSON.stringify(rest)) }),
      score(3, null, {
        form: "invocations",
        contentType: "text/csv",
        accept: "text/csv",
        payload: Buffer.from("1,2\n"),
      }),
      score(4, null, { form: "grpc", model: "m", payload: grpc }),
    ]);
    expect(runs).toEqual([3]);
    const of = (id: number) => answers.find((answer) => answer.id === id);
    expect(JSON.parse(Buffer.from(of(2)?.body ?? []).toString())).toEqual({
      model_name: "m",
      model_version: "3",
      id: "r",
      outputs: [{ name: "y", datatype: "FP32", shape: [1, 2], data: [2, 4] }],
    });
    expect(Buffer.from(of(3)?.body ?? []).toString()).toBe("2,4\n");
    expect(of(4)?.status).toBe(400);
    expect(() => readInferenceMessage(grpc)).toThrow();
  });
});

describe("warm-up", () => {
  // A clock that only the models' work moves: what a run costs must not depend on what else this machine does.
  let nowMs = 0;
  const now = () => nowMs;
  const costing = (costMs: (rows: number) => number) => (rows: number[][]) => {
    nowMs += costMs(rows.length);
    return double(rows);
  };

  it("allows batches where rows stand for themselves", async () => {
    const { session } = model(
      "m",
      costing((rows) => 1 + rows / 100),
    );
    const { singleMs, maxRows, fixedMs } = await warmUp(session, now);
    expect(singleMs).toBeCloseTo(1.01);
    expect(maxRows).toBe(64);
    expect(fixedMs).toBeCloseTo(1);
  });

  it("tells a small model that starts on a busy machine, with code that is not compiled yet", async () => {
    let runs = 0;
    const { session } = model(
      "m",
      costing(() => {
        runs += 1;
        const interrupted = runs % 3 !== 0 ? 0.3 : 0;
        const disturbed = runs > 260 && runs < 300 ? 0.3 : 0;
        return (runs < 30 ? 0.3 : 0.01) + interrupted + disturbed;
      }),
    );
    const { singleMs, maxRows } = await warmUp(session, now);
    expect(singleMs).toBeCloseTo(0.01);
    expect(maxRows).toBe(64);
  });

  it("allows no more rows than pay, or than a caller may wait for", async () => {
    const upTo = async (costMs: (rows: number) => number) =>
      (await warmUp(model("m", costing(costMs)).session, now)).maxRows;
    expect(await upTo((rows) => 10 + rows)).toBe(8);
    expect(await upTo((rows) => (rows <= 4 ? 2 : 2 * rows))).toBe(4);
  });

  it.each<[what: string, compute: (rows: number[][]) => number[][], shape?: (number | string)[]]>([
    [
      "compare the rows",
      (rows) => {
        const sum = rows.flat().reduce((total, value) => total + value, 1e-9);
        return rows.map((row) => row.map((value) => value / sum));
      },
    ],
    ["answer with another number of rows", (rows) => [rows[0] as number[]]],
    ["have a fixed first dimension", double, [1, 2]],
    ["cost the same for each row", costing((rows) => rows)],
    [
      "refuse made-up input",
      () => {
        throw new Error("no");
      },
    ],
  ])("forbids batches of models that %s", async (_, compute, shape) => {
    expect((await warmUp(model("m", compute, shape).session, now)).maxRows).toBe(1);
  });
});
