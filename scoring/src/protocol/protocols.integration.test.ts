import { connect } from "node:net";
import { encodeFrame, FrameDecoder, FrameKind } from "@slipway/api";
import { describe, expect, it } from "vitest";
import { decodeResponse, encodeRequest } from "../frame-message.ts";
import type { ElementType } from "../tensor/element-types.ts";
import { onnxModel } from "../testing/onnx-model.ts";
import type { ScorerUnderTest } from "../testing/scorer-under-test.ts";
import { startedScorers } from "../testing/started-scorers.ts";

const scorers = startedScorers();

/** y = x */
const identity = (type: Exclude<ElementType, "int8" | "int16" | "int32" | "uint8" | "uint16" | "uint32" | "uint64">) =>
  onnxModel({
    inputs: [{ name: "x", type, shape: ["n"] }],
    outputs: [{ name: "y", type, shape: ["n"] }],
    nodes: [{ op: "Identity", inputs: ["x"], outputs: ["y"] }],
  });

async function readyOnnx(
  files: Parameters<typeof scorers.onnx>[0],
  overrides: Parameters<typeof scorers.onnx>[1] = {},
) {
  const scorer = scorers.onnx(files, overrides);
  await scorer.until(({ phase }) => phase === "ready");
  return scorer;
}

const infer = (scorer: ScorerUnderTest, model: string, body: unknown) =>
  scorer.ask(`/v2/models/${model}/infer`, { method: "POST", body: JSON.stringify(body) });

describe("the Open Inference Protocol over REST", () => {
  it("describes server and models", async () => {
    const scorer = await readyOnnx({ "a.onnx": identity("float32"), "b.onnx": identity("string") });
    const get = async (path: string) => {
      const { status, text } = await scorer.ask(path);
      return [status, JSON.parse(text)];
    };
    expect(await get("/v2")).toEqual([
      200,
      { name: "slipway", version: expect.stringMatching(/^\d+\./), extensions: ["binary_tensor_data"] },
    ]);
    expect(await get("/v2/health/live")).toEqual([200, { live: true }]);
    expect(await get("/v2/health/ready")).toEqual([200, { ready: true }]);
    expect(await get("/v2/models/b/versions/3")).toEqual([
      200,
      {
        name: "b",
        versions: ["3"],
        platform: "onnxruntime_onnx",
        inputs: [{ name: "x", datatype: "BYTES", shape: [-1] }],
        outputs: [{ name: "y", datatype: "BYTES", shape: [-1] }],
      },
    ]);
    expect(await get("/v2/models/a/ready")).toEqual([200, { name: "a", ready: true }]);
    for (const path of ["/v2/models/c", "/v2/models/a/versions/4", "/v2/models/digits/ready"]) {
      const [status, { error, code }] = await get(path);
      expect([status, code], path).toEqual([404, "ModelNotFound"]);
      expect(error).toContain("a (version 3), b (version 3)");
    }
    expect((await scorer.ask("/v2/models/a/infer")).status).toBe(405);
  });

  it.each<[type: Parameters<typeof identity>[0], datatype: string, values: readonly unknown[]]>([
    ["float16", "FP16", [1, -2.5]],
    ["float32", "FP32", [1.5, 2]],
    ["float64", "FP64", [0.1, 1e300]],
    ["int64", "INT64", [1, -2]],
    ["bool", "BOOL", [true, false]],
    ["string", "BYTES", ["a", "é"]],
  ])("takes and gives %s", async (type, datatype, data) => {
    const scorer = await readyOnnx({ "m.onnx": identity(type) });
    const input = { name: "x", shape: [2], datatype, data };
    const answer = await infer(scorer, "m", { id: "r", inputs: [input] });
    expect(answer.json()).toEqual({
      ...{ model_name: "m", model_version: "3", id: "r" },
      outputs: [{ name: "y", shape: [2], datatype, data }],
    });
    // A service of one model answers under its own name, too.
    const binary = await infer(scorer, "digits", { inputs: [input], parameters: { binary_data_output: true } });
    const json = Number(binary.headers["inference-header-content-length"]);
    const [{ parameters }] = JSON.parse(binary.bytes.subarray(0, json).toString()).outputs;
    expect(binary.bytes.length - json).toBe(parameters.binary_data_size);
    const head = JSON.stringify({ inputs: [{ ...input, data: undefined, parameters }] });
    const back = await scorer.ask("/v2/models/m/infer", {
      method: "POST",
      body: Buffer.concat([Buffer.from(head), binary.bytes.subarray(json)]),
      headers: { "inference-header-content-length": String(Buffer.byteLength(head)) },
    });
    expect(back.json()).toMatchObject({ outputs: [{ data }] });
  });

  it("tells mistakes as a text in error, with the field's name", async () => {
    const scorer = await readyOnnx({ "m.onnx": identity("float32") });
    const wrong = await infer(scorer, "m", { inputs: [{ name: "x", shape: [1, 1], datatype: "FP32", data: [1] }] });
    expect([wrong.status, wrong.json()]).toEqual([
      400,
      { code: "ShapeMismatch", error: "x has 2 dimensions; the model wants 1, [n]." },
    ]);
    const type = await infer(scorer, "m", { inputs: [{ name: "x", shape: [1], datatype: "INT64", data: [1] }] });
    expect(type.json()).toEqual({ code: "TypeMismatch", error: "x is INT64; the model wants FP32." });
    const packed = await scorer.ask("/v2/models/m/infer", {
      method: "POST",
      body: "x",
      headers: { "content-encoding": "gzip" },
    });
    expect([packed.status, packed.json()]).toMatchObject([415, { code: "ContentEncodingUnsupported" }]);
  });

  it("is there for scripts, which see their JSON", async () => {
    const scorer = await scorers.readyPython({
      "score.py": `
import json
def run(data):
    given = json.loads(data)
    if given.get("fail"):
        raise ValueError("no")
    if "stream" in given:
        return (value for value in given["stream"])
    return {"keys": sorted(given), "sums": [float(sum(row)) for row in given["rows"]]}
`,
    });
    const rows = { name: "rows", shape: [2, 2], datatype: "INT32", data: [1, 2, 3, 4] };
    expect((await infer(scorer, "digits", { id: "r", inputs: [rows] })).json()).toEqual({
      ...{ model_name: "digits", model_version: "3", id: "r" },
      outputs: [
        { name: "keys", datatype: "BYTES", shape: [1], data: ["rows"] },
        { name: "sums", datatype: "FP64", shape: [2], data: [3, 7] },
      ],
    });
    const some = await infer(scorer, "digits", { inputs: [rows], outputs: [{ name: "sums" }] });
    expect((some.json() as { outputs: unknown[] }).outputs).toHaveLength(1);
    const unknown = await infer(scorer, "digits", { inputs: [rows], outputs: [{ name: "other" }] });
    expect([unknown.status, unknown.json()]).toMatchObject([400, { code: "UnknownOutput" }]);
    const stream = await infer(scorer, "digits", { inputs: [{ ...rows, name: "stream" }] });
    expect(stream.json()).toMatchObject({ outputs: [{ name: "output", datatype: "INT64", shape: [2, 2] }] });
    const failed = await infer(scorer, "digits", { inputs: [{ ...rows, name: "fail" }] });
    expect([failed.status, failed.json()]).toMatchObject([424, { error: expect.stringContaining("ValueError: no") }]);
    expect((await scorer.ask("/v2/models/digits")).json()).toMatchObject({ platform: "python", inputs: [] });
  });

  it("is ready when the service is", async () => {
    const scorer = scorers.python({ "score.py": "import time\ntime.sleep(2)\ndef run(data):\n    return data\n" });
    await scorer.until(({ phase }) => phase === "starting");
    expect((await scorer.ask("/v2/health/live")).status).toBe(200);
    expect((await scorer.ask("/v2/health/ready")).status).toBe(503);
    const early = await infer(scorer, "digits", { inputs: [] });
    expect([early.status, early.json()]).toMatchObject([503, { code: "Starting", error: expect.any(String) }]);
    await scorer.until(({ phase }) => phase === "ready");
    expect((await scorer.ask("/v2/health/ready")).status).toBe(200);
  });
});

describe("the Open Inference Protocol over gRPC, as the gateway hands it on", () => {
  /** One REQUEST frame with a raw message; the answer's status, message and payload. */
  function call(scorer: ScorerUnderTest, path: string, message: string) {
    return new Promise<[status: string | undefined, message: string | undefined, payload: string]>(
      (resolve, reject) => {
        const socket = connect(scorer.config.framesSocket);
        const decoder = new FrameDecoder(({ kind, body }) => {
          if (kind !== FrameKind.RESPONSE) return;
          const { head, payload } = decodeResponse(body);
          socket.end();
          resolve([head.h["grpc-status"], head.h["grpc-message"], payload.toString("latin1")]);
        });
        socket.on("data", (bytes) => decoder.push(bytes));
        socket.on("error", reject);
        const hello = { protocol: 1, role: "gateway", nonce: scorer.config.nonce };
        socket.write(encodeFrame(0, FrameKind.HELLO, Buffer.from(JSON.stringify(hello))));
        const head = { m: "POST", p: path, h: { "content-type": "application/grpc+proto" }, i: "r" };
        socket.write(encodeFrame(1, FrameKind.REQUEST, encodeRequest(head, Buffer.from(message, "latin1"))));
      },
    );
  }

  it("answers messages, and failures as a status", async () => {
    const scorer = await readyOnnx({ "m.onnx": identity("bool") });
    const service = "/inference.GRPCInferenceService";
    expect(await call(scorer, `${service}/ServerReady`, "")).toEqual(["0", undefined, "\x08\x01"]);
    expect(await call(scorer, `${service}/ModelReady`, "\x0a\x01m")).toEqual(["0", undefined, "\x08\x01"]);
    // ModelInferRequest: model m, one input x of BOOL [1], raw content 01
    const input = "\x0a\x01x\x12\x04BOOL\x1a\x01\x01";
    const request = `\x0a\x01m\x2a${String.fromCharCode(input.length)}${input}\x3a\x01\x01`;
    const output = "\x0a\x01y\x12\x04BOOL\x1a\x01\x01";
    expect(await call(scorer, `${service}/ModelInfer`, request)).toEqual([
      ...["0", undefined],
      `\x0a\x01m\x12\x013\x2a${String.fromCharCode(output.length)}${output}\x32\x01\x01`,
    ]);
    expect(await call(scorer, `${service}/ModelReady`, "\x0a\x01z")).toEqual([
      ...["5", expect.stringContaining("ModelNotFound: There is no model z here")],
      "",
    ]);
    expect((await call(scorer, `${service}/ModelInfer`, "\x0a\x01m"))[0]).toBe("3");
    expect((await call(scorer, `${service}/ModelInfer`, "\x0a\x09m"))[0]).toBe("3");
    expect((await call(scorer, `${service}/ModelStreamInfer`, ""))[0]).toBe("12");
  });
});

describe("/invocations", () => {
  const post = (scorer: ScorerUnderTest, body: string, type: string, accept = "*/*") =>
    scorer.ask("/invocations", { method: "POST", body, headers: { "content-type": type, accept } });

  it("takes JSON and CSV for a model", async () => {
    const scorer = await readyOnnx({
      "m.onnx": onnxModel({
        inputs: [{ name: "x", type: "float32", shape: ["rows", 2] }],
        outputs: [{ name: "y", type: "float32", shape: ["rows", 2] }],
        nodes: [{ op: "Identity", inputs: ["x"], outputs: ["y"] }],
      }),
    });
    expect((await scorer.ask("/ping")).status).toBe(200);
    expect((await post(scorer, '{"data": [[1, 2]]}', "application/json")).json()).toEqual({ y: [[1, 2]] });
    expect((await post(scorer, "1,2\n3,4.5\n", "text/csv; charset=utf-8")).json()).toEqual({
      y: [
        [1, 2],
        [3, 4.5],
      ],
    });
    const csv = await post(scorer, "1,2\n3,4.5\n", "text/csv", "text/csv");
    expect([csv.headers["content-type"], csv.text]).toEqual(["text/csv", "1,2\n3,4.5\n"]);
    const wrong = await post(scorer, "1,two\n", "text/csv");
    expect([wrong.status, wrong.json()]).toMatchObject([
      400,
      { error: { code: "TypeMismatch", message: 'x[0][1] must be a number, not "two".' } },
    ]);
  });

  it("takes JSON and CSV for a script", async () => {
    const scorer = await scorers.readyPython({
      "score.py": "import json\ndef run(data):\n    return [sum(row) for row in json.loads(data)['data']]\n",
    });
    expect((await post(scorer, '{"data": [[1, 2]]}', "application/json")).json()).toEqual([3]);
    expect((await post(scorer, "1,2\n3,4\n", "text/csv")).json()).toEqual([3, 7]);
    expect((await post(scorer, "1,2\n3,4\n", "text/csv", "text/csv")).text).toBe("3\n7\n");
    expect((await post(scorer, '"', "text/csv")).status).toBe(400);
  });
});

describe("batches", () => {
  it("put requests that wait into one run", async () => {
    const scorer = await readyOnnx({ "m.onnx": identity("float32") });
    const answers = await Promise.all(Array.from({ length: 200 }, (_, n) => scorer.score({ x: [n] })));
    expect(answers.map((answer) => answer.json())).toEqual(answers.map((_, n) => ({ y: [n] })));
    const { batches } = await scorer.state();
    expect(batches?.sum).toBe(200);
    expect(batches?.count).toBeLessThan(200);
  });
});
