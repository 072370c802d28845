import { describe, expect, it } from "vitest";
import { scriptInput, scriptRows } from "./script-input.ts";
import { resultTensors } from "./script-result.ts";

const outputs = (text: string, contentType = "application/json") =>
  resultTensors({ contentType, payload: Buffer.from(text) }).map(({ name, type, dims, data }) => [
    name,
    type,
    dims,
    [...data],
  ]);

describe("a script's answer", () => {
  it.each<[what: string, text: string, expected: unknown]>([
    ["whole numbers", "[1, 2]", [["output", "int64", [2], [1n, 2n]]]],
    ["numbers with fractions", "[[1.5, 2]]", [["output", "float64", [1, 2], [1.5, 2]]]],
    ["numbers whose fractions are 0", "[[1.0, 2.0]]", [["output", "float64", [1, 2], [1, 2]]]],
    ["NaN, as Python writes it", '["NaN", 1]', [["output", "string", [2], ["NaN", "1"]]]],
    ["truth values", "[true, false]", [["output", "bool", [2], [1, 0]]]],
    ["texts", '["a", "b"]', [["output", "string", [2], ["a", "b"]]]],
    ["one number", "7", [["output", "int64", [1], [7n]]]],
    ["one number with a fraction of 0", "7.0", [["output", "float64", [1], [7]]]],
    ["one text", '"yes"', [["output", "string", [1], ["yes"]]]],
    ["nothing", "{}", []],
    ["an empty list", "[]", [["output", "float64", [0], []]]],
    ["rows of different lengths", "[[1, 2], [3]]", [["output", "string", [2], ["[1,2]", "[3]"]]]],
    ["records", '[{"a": 1}]', [["output", "string", [1], ['{"a":1}']]]],
    ["a text that is JSON", '"{\\"y\\": [1, 2]}"', [["y", "int64", [2], [1n, 2n]]]],
    ["a text that is only a number", '"12"', [["output", "string", [1], ["12"]]]],
    [
      "names",
      '{"label": [0], "score": [1.0], "ok": true}',
      [
        ["label", "int64", [1], [0n]],
        ["score", "float64", [1], [1]],
        ["ok", "bool", [1], [1]],
      ],
    ],
    [
      "tensors in the protocol's own words",
      '{"outputs": [{"name": "y", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}]}',
      [["y", "float32", [1, 2], [1, 2]]],
    ],
  ])("of %s", (_, text, expected) => {
    expect(outputs(text)).toEqual(expected);
  });

  it("of numbers with NaN and Infinity has NaN", () => {
    expect(outputs("[1.5, NaN, -Infinity]")).toEqual([["output", "float64", [3], [1.5, Number.NaN, Number.NaN]]]);
  });

  it("that is no JSON is text or bytes", () => {
    expect(outputs("hello", "text/plain; charset=utf-8")).toEqual([["output", "string", [1], ["hello"]]]);
    expect(outputs("\x01\x02", "image/png")).toEqual([["output", "uint8", [2], [1, 2]]]);
    expect(outputs("1\n2\n", "application/x-ndjson")).toEqual([["output", "int64", [2], [1n, 2n]]]);
  });
});

describe("a script's input", () => {
  const x = { name: "x", type: "float32", dims: [1, 2], data: new Float32Array([1, 2]) } as const;
  const y = { ...x, name: "y" };
  const schema = (...names: string[]) => ({ properties: Object.fromEntries(names.map((name) => [name, {}])) });

  it("has the tensors under their names", () => {
    expect(scriptInput([x, y], undefined)).toEqual({ x: [[1, 2]], y: [[1, 2]] });
    expect(scriptInput([x, y], schema("y", "x"))).toEqual({ x: [[1, 2]], y: [[1, 2]] });
  });

  it("has a single tensor under the name of the single parameter", () => {
    expect(scriptInput([x], schema("data"))).toEqual({ data: [[1, 2]] });
    expect(() => scriptInput([x], schema("a", "b"))).toThrow('no input "x"; it has a, b');
    expect(() => scriptInput([x, y], schema("data"))).toThrow('no input "x"; it has data');
  });

  it("has rows under the single parameter or data", () => {
    expect(scriptRows([[1]], undefined)).toEqual({ data: [[1]] });
    expect(scriptRows([[1]], schema("rows"))).toEqual({ rows: [[1]] });
    expect(() => scriptRows([[1]], schema("a", "b"))).toThrow("several inputs: a, b");
  });
});
