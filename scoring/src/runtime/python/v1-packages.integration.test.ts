import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { startedScorers } from "../../testing/started-scorers.ts";
import { ensureV1Environment } from "../../testing/v1-environment.ts";

/** Scripts that use packages of v1's images, which come from the user's own environment: here from one made for the tests. */
const python = join(ensureV1Environment(), "python");
const scorers = startedScorers();

const ready = (script: string) => scorers.readyPython({ "score.py": script }, { command: [python] });
const json = { "content-type": "application/json" };

describe("inference-schema", () => {
  const script = `
import numpy as np
from inference_schema.schema_decorators import input_schema, output_schema
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
@input_schema("data", NumpyParameterType(np.array([[1.0, 2.0]])))
@input_schema("scale", StandardPythonParameterType(2))
@output_schema(NumpyParameterType(np.array([3.0])))
def run(data, scale=1):
    return data.sum(axis=1) * scale
`;

  it("gives run() its arguments by name, with defaults, and NumPy results become lists", async () => {
    const scorer = await ready(script);
    expect(
      (
        await scorer.score({
          data: [
            [1, 2],
            [3, 4],
          ],
        })
      ).json(),
    ).toEqual([3, 7]);
    expect((await scorer.score({ data: [[1, 2]], scale: 10 })).json()).toEqual([30]);
    expect((await scorer.ask("/score?data=[[5,6]]")).json()).toEqual([11]);
  });

  it("tells the caller's mistakes apart from the script's", async () => {
    const scorer = await ready(script);
    const codeOf = async (body: string, headers: Record<string, string> = json) => {
      const answer = await scorer.ask("/score", { method: "POST", body, headers });
      return [answer.status, (answer.json() as { error: { code: string } }).error.code];
    };
    expect(await codeOf("{}")).toEqual([400, "MissingInput"]);
    expect(await codeOf("[1]")).toEqual([400, "BodyNotObject"]);
    expect(await codeOf("{")).toEqual([400, "BodyNotJson"]);
    expect(await codeOf("{}", { "content-type": "text/plain" })).toEqual([415, "UnsupportedContentType"]);
    expect(await codeOf('{"data": [["a"]]}')).toEqual([424, "RunFailed"]);
  });

  it("fills swagger.json, and gives a sample that run() understands", async () => {
    const scorer = await ready(script);
    const { sampleInput } = await scorer.state();
    expect(sampleInput).toEqual({ data: [[1, 2]], scale: 2 });
    expect((await scorer.score(sampleInput)).json()).toEqual([6]);
    expect((await scorer.ask("/swagger.json")).json()).toMatchObject({
      definitions: {
        ServiceInput: { properties: { data: { type: "array" }, scale: { type: "integer" } } },
        ServiceOutput: { type: "array" },
      },
    });
    expect((await scorer.ask("/swagger.json?version=3")).status).toBe(404);
  });
});

describe("rawhttp", () => {
  it("is refused together with an inference-schema", async () => {
    const script = `
from azureml.contrib.services.aml_request import rawhttp
from inference_schema.schema_decorators import input_schema
from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
@rawhttp
@input_schema("data", StandardPythonParameterType(1))
def run(data):
    return data
`;
    const scorer = scorers.python({ "score.py": script }, { command: [python] });
    const { cause } = await scorer.until(({ phase }) => phase === "failed");
    expect(cause).toMatchObject({ code: "EntryScriptInvalid", message: expect.stringContaining("both @rawhttp") });
  });

  it("gives run() Flask's request and passes an AMLResponse through", async () => {
    const scorer = await ready(`
from azureml.contrib.services.aml_request import rawhttp
from azureml.contrib.services.aml_response import AMLResponse
@rawhttp
def run(request):
    if request.method == "GET":
        return {"a": request.args.get("a"), "path": request.full_path}
    data = request.get_data()
    if data == b"refuse":
        return AMLResponse({"no": "thanks"}, 503, json_str=True)
    return AMLResponse(data[::-1], 200, {"Content-Type": "image/jpeg", "X-Length": request.headers["Content-Length"]})
`);
    const answer = await scorer.ask("/score", {
      method: "POST",
      body: new Uint8Array([0x61, 0xff, 0x00]),
      headers: { "content-type": "application/octet-stream" },
    });
    expect(answer.headers).toMatchObject({ "content-type": "image/jpeg", "x-length": "3", "content-length": "3" });
    expect((await scorer.ask("/score?a=5")).json()).toEqual({ a: "5", path: "/score?a=5" });
    const refused = await scorer.ask("/score", { method: "POST", body: "refuse" });
    expect([refused.status, refused.json()]).toEqual([503, { no: "thanks" }]);
    expect(refused.headers["x-ms-run-function-failed"]).toBe("true");
  });
});

it("NumPy and pandas values become lists and numbers, missing values null, times ISO 8601", async () => {
  const scorer = await ready(`
import numpy as np, pandas as pd
times = pd.to_datetime(["2026-01-02T03:04:05Z", None])
results = {
    "numpy": {"f": np.float32(0.5), "i": np.int64(3), "b": np.bool_(True), "a": np.arange(4).reshape(2, 2)},
    "times": np.array(["2026-01-02T03:04:05.000000006"], dtype="datetime64[ns]"),
    "frame": pd.DataFrame({"a": [1, 2], "b": [0.5, np.nan], "c": ["x", None], "d": times}),
    "series": pd.Series([1.5, np.nan]),
    "nested": {"index": pd.Index(["a", "b"]), "one": pd.Timestamp("2026-01-02"), "none": pd.NaT, "na": pd.NA},
}
def run(data):
    return results[data]
`);
  const result = async (name: string) => (await scorer.ask("/score", { method: "POST", body: name })).json();
  const a = [
    [0, 1],
    [2, 3],
  ];
  expect(await result("numpy")).toEqual({ f: 0.5, i: 3, b: true, a });
  expect(await result("times")).toEqual(["2026-01-02T03:04:05.000000006"]);
  expect(await result("frame")).toEqual([
    { a: 1, b: 0.5, c: "x", d: "2026-01-02T03:04:05+00:00" },
    { a: 2, b: null, c: null, d: null },
  ]);
  expect(await result("series")).toEqual([1.5, null]);
  expect(await result("nested")).toEqual({ index: ["a", "b"], one: "2026-01-02T00:00:00", none: null, na: null });
});
