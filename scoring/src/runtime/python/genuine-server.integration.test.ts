import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { startGenuineServer } from "../../testing/genuine-server.ts";
import type { Answer, AskOptions } from "../../testing/scorer-under-test.ts";
import { startedScorers } from "../../testing/started-scorers.ts";
import { ensureV1Environment } from "../../testing/v1-environment.ts";

/** The same scripts and requests under the genuine server and under ours: answers are equal but where a line says otherwise. */

type Seen = Readonly<{ status: number; type: string; failed: string; timed: boolean; body: unknown }>;
interface Case {
  readonly what: string;
  readonly path?: string;
  readonly options?: AskOptions;
  /** where we differ on purpose: what each of the two does (docs/reference/score-py.md) */
  readonly genuine?: Partial<Seen>;
  readonly ours?: Partial<Seen>;
}

const programs = ensureV1Environment();
const scorers = startedScorers();

function compare(name: string, script: string, cases: readonly Case[]): void {
  it(name, async () => {
    const genuine = await startGenuineServer(programs, script);
    try {
      const ours = await scorers.readyPython({ "score.py": script }, { command: [join(programs, "python")] });
      for (const { what, path = "/score", options = { method: "POST", body: "" }, ...differences } of cases) {
        const theirs = seen(await genuine.ask(path, options));
        const own = seen(await ours.ask(path, options));
        if (differences.ours === undefined) {
          expect(own, what).toEqual(theirs);
        } else {
          expect(theirs, `${what}, genuine`).toMatchObject(differences.genuine ?? {});
          expect(own, `${what}, ours`).toMatchObject(differences.ours);
          expect(own, `${what}: no difference any more`).not.toEqual(theirs);
        }
      }
    } finally {
      await genuine.dispose();
    }
  });
}

function seen({ status, headers, text }: Answer): Seen {
  const type = headers["content-type"] ?? "";
  return {
    status,
    type,
    failed: String(headers["x-ms-run-function-failed"]).toLowerCase(),
    timed: headers["x-ms-run-fn-exec-ms"] !== undefined,
    body: text,
  };
}

const post = (body: string | Uint8Array, type = "application/json"): AskOptions => ({
  method: "POST",
  body,
  headers: { "content-type": type },
});

describe("a plain run()", () => {
  const results: Readonly<Record<string, string>> = {
    none: "None",
    text: "'grün \\u2028 \"quoted\"'",
    number: "0.1 + 0.2",
    large: "10 ** 30",
    tuple: "(1, (2, 3))",
    "not a number": "[float('nan'), float('inf')]",
    dict: "{'ä': [True, None, 1.5e300], 1: 'number as key', None: 2}",
    json: "json.dumps({'a': 1})",
    "response of text": "AMLResponse('hello', 200)",
    "response of bytes": "AMLResponse(b'\\x00\\xff', 200, {'Content-Type': 'image/png', 'X-Mine': 'a, b'})",
    "response of JSON": "AMLResponse({'a': [1]}, 201, json_str=True)",
    "response of nothing": "AMLResponse(None, 200)",
    "response that refuses": "AMLResponse('no', 403, {}, False, True)",
    "response that fails": "AMLResponse({'no': 'thanks'}, 503, json_str=True)",
    "response of Flask": "flask.Response('a,b', mimetype='text/csv')",
    "response in parts": "flask.Response(iter(['a', 'b']), mimetype='text/csv')",
    set: "{1}",
    bytes: "b'abc'",
    array: "np.arange(3)",
    frame: "pd.DataFrame({'a': [1]})",
    error: "{}['k']",
  };
  const script = `
import json, flask, numpy as np, pandas as pd
from azureml_inference_server_http.api.aml_response import AMLResponse
def init(): pass
results = {${Object.entries(results)
    .map(([name, expression]) => `${JSON.stringify(name)}: lambda: ${expression}`)
    .join(", ")}}
def run(data):
    return results[data]() if data in results else [data]
`;
  const different: Readonly<Record<string, Pick<Case, "genuine" | "ours">>> = {
    set: {
      genuine: { status: 500, failed: "false" },
      ours: { status: 424, body: expect.stringContaining("type set"), failed: "true" },
    },
    bytes: {
      genuine: { status: 500 },
      ours: { status: 200, type: "application/octet-stream", body: "abc", failed: "false", timed: true },
    },
    array: { genuine: { status: 500 }, ours: { status: 200, body: "[0, 1, 2]" } },
    frame: { genuine: { status: 500 }, ours: { status: 200, body: '[{"a": 1}]' } },
    error: {
      genuine: { status: 500, failed: "true" },
      ours: { status: 424, body: expect.stringContaining("KeyError: 'k' (score.py, line"), failed: "true" },
    },
    // The package of its own adds the header only to its own class.
    "response of Flask": { genuine: { body: "a,b", failed: "undefined" }, ours: { body: "a,b", failed: "false" } },
    "response in parts": { genuine: { body: "ab", timed: true }, ours: { body: "ab", status: 200, timed: false } },
  };
  compare("returns", script, [
    ...Object.keys(results).map((name) => ({ what: name, options: post(name), ...different[name] })),
  ]);
  compare("gets", script, [
    { what: "nothing", options: post("") },
    { what: "text of any type", options: post("größer", "text/csv") },
    { what: "no type", options: { method: "POST", body: "x" } },
    { what: "a query", path: "/score?a=1&b=[1,2]&c=x&c=y&d=null&e=&f=%C3%A4", options: {} },
    { what: "no query", options: {} },
    { what: "a query with a body", path: "/score?a=1", options: post("body") },
    {
      what: "OPTIONS",
      options: { method: "OPTIONS" },
      genuine: { type: "text/html; charset=utf-8" },
      ours: { status: 200, body: "" },
    },
    {
      what: "bytes",
      options: post(new Uint8Array([0x61, 0xff])),
      genuine: { status: 400, body: expect.stringContaining("UTF-8") },
      ours: { status: 400, body: expect.stringContaining("UTF-8"), failed: "false" },
    },
    { what: "PUT", options: { method: "PUT", body: "x" }, genuine: { status: 405 }, ours: { status: 405 } },
    {
      what: "health",
      path: "/",
      options: {},
      genuine: { status: 200, body: "Healthy" },
      ours: { status: 200, body: "Healthy" },
    },
    { what: "an unknown path", path: "/nowhere", options: {}, genuine: { status: 404 }, ours: { status: 404 } },
  ]);
});

describe("run() with headers", () => {
  const script = `
def init(): pass
def run(data, request_headers):
    ignored = ("Host", "Connection")
    return [data, type(request_headers).__name__ in ("dict", "Headers"), sorted((k, v) for k, v in request_headers.items() if k not in ignored)]
`;
  compare("gets them under their names", script, [
    {
      what: "headers",
      options: { method: "POST", body: "x", headers: { "content-type": "a/b", "X-MY-header": "1", accept: "c" } },
    },
    { what: "no headers", options: {} },
  ]);
});

describe("an inference-schema", () => {
  const script = `
import numpy as np, pandas as pd
from inference_schema.schema_decorators import input_schema, output_schema
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.parameter_types.pandas_parameter_type import PandasParameterType
from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
def init(): pass
@input_schema("points", NumpyParameterType(np.array([[1.0, 2.0]])))
@input_schema("table", PandasParameterType(pd.DataFrame({"a": [1], "b": ["x"]})))
@input_schema("factor", StandardPythonParameterType(2.0))
@output_schema(StandardPythonParameterType({"sum": 1.0}))
def run(points, table, factor=3.0):
    return {"sum": float(points.sum()) * factor, "kind": type(table).__name__, "table": table.to_dict("list"), "shape": list(points.shape)}
`;
  const table = [{ a: 1, b: "y" }];
  const whole = JSON.stringify({ points: [[1, 2]], table, factor: 10 });
  const refused = (status: number) => ({ genuine: { status, failed: "false" }, ours: { status, failed: "false" } });
  compare("gives its arguments by name", script, [
    { what: "all", options: post(whole) },
    { what: "a default", options: post(JSON.stringify({ points: [[1, 2]], table })) },
    { what: "more than it asked for", options: post(JSON.stringify({ points: [[1, 2]], table, other: 1 })) },
    { what: "a charset", options: post(whole, "application/json; charset=utf-8") },
    { what: "a kind of JSON", options: post(whole, "application/problem+json") },
    { what: "a query", path: `/score?points=[[1,2]]&table=${encodeURIComponent(JSON.stringify(table))}`, options: {} },
    { what: "a missing one", options: post("{}"), ...refused(400) },
    { what: "a list", options: post("[]"), ...refused(400) },
    { what: "broken JSON", options: post("{"), ...refused(400) },
    { what: "nothing", options: post(""), ...refused(400) },
    { what: "another type", options: post(whole, "text/plain"), ...refused(415) },
    {
      what: "values of another kind",
      options: post(JSON.stringify({ points: [["a"]], table })),
      genuine: { status: 500, failed: "true" },
      ours: { status: 424, failed: "true", body: expect.stringContaining("could not convert string to float") },
    },
  ]);

  it("describes itself alike", async () => {
    const genuine = await startGenuineServer(programs, script);
    try {
      const ours = await scorers.readyPython({ "score.py": script }, { command: [join(programs, "python")] });
      const schemas = async (answer: Promise<Answer>) => {
        const { definitions } = (await answer).json() as { definitions: Record<string, unknown> };
        return [definitions.ServiceInput, definitions.ServiceOutput];
      };
      expect(await schemas(ours.ask("/swagger.json"))).toEqual(await schemas(genuine.ask("/swagger.json")));
    } finally {
      await genuine.dispose();
    }
  });
});

describe("@rawhttp", () => {
  const script = `
from azureml_inference_server_http.api.aml_request import rawhttp
from azureml_inference_server_http.api.aml_response import AMLResponse
def init(): pass
@rawhttp
def run(request):
    if request.method == "GET":
        return {"args": request.args.to_dict(flat=False), "path": request.full_path}
    if request.headers.get("X-Form"):
        return [request.form.to_dict(), {name: file.read().decode() for name, file in request.files.items()}]
    if request.is_json:
        return request.get_json()
    return AMLResponse(request.get_data()[::-1], 200, {"Content-Type": request.content_type, "X-Length": str(request.content_length)})
`;
  const form = [
    '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n',
    '--b\r\nContent-Disposition: form-data; name="f"; filename="f.txt"\r\n\r\ntext\r\n--b--\r\n',
  ].join("");
  compare("gets Flask's request", script, [
    { what: "GET", path: "/score?a=1&a=2&b=%20", options: {} },
    { what: "bytes", options: post(new Uint8Array([1, 2, 3]), "image/png") },
    { what: "JSON", options: post('{"a": [1]}') },
    {
      what: "a form with a file",
      options: {
        method: "POST",
        body: form,
        headers: { "x-form": "1", "content-type": "multipart/form-data; boundary=b" },
      },
    },
    {
      what: "broken JSON",
      options: post("{"),
      genuine: { status: 500, failed: "true" },
      ours: { status: 424, failed: "true" },
    },
  ]);
});
