import { describe, expect, it } from "vitest";
import type { ElementType } from "../../tensor/element-types.ts";
import { InputError } from "../../tensor/tensor.ts";
import { readInputs } from "./model-input.ts";
import type { ModelSchema } from "./model-schema.ts";

const rows: ModelSchema = {
  name: "m",
  inputs: [{ name: "features", type: "float32", shape: ["rows", 3] }],
  outputs: [],
};
const two: ModelSchema = {
  name: "m",
  inputs: [
    { name: "age", type: "int64", shape: ["rows"] },
    { name: "name", type: "string", shape: ["rows"] },
  ],
  outputs: [],
};
const ofType = (type: ElementType): ModelSchema => ({
  name: "m",
  inputs: [{ name: "x", type, shape: [] }],
  outputs: [],
});

const read = (model: ModelSchema, value: unknown) => readInputs(model, Buffer.from(JSON.stringify(value)));
const mistake = (model: ModelSchema, value: unknown) => {
  try {
    read(model, value);
  } catch (error) {
    if (error instanceof InputError) return `${error.code}: ${error.message}`;
    throw error;
  }
  throw new Error("It was accepted.");
};

describe("readInputs", () => {
  it("takes a single input as data or by its name", () => {
    for (const body of [{ data: [[1, 2, 3]] }, { features: [[1, 2, 3]] }, { data: { features: [[1, 2, 3]] } }]) {
      const [input] = read(rows, body);
      expect([input?.dims, [...(input?.data ?? [])]]).toEqual([
        [1, 3],
        [1, 2, 3],
      ]);
    }
  });

  it("takes several inputs by their names", () => {
    const [age, name] = read(two, { age: [1, 2], name: ["a", "b"] });
    expect([age?.data, name?.data]).toEqual([new BigInt64Array([1n, 2n]), ["a", "b"]]);
  });

  it("takes scalars and no rows at all", () => {
    expect(read(ofType("float64"), { x: 1.5 })[0]).toMatchObject({ dims: [], data: new Float64Array([1.5]) });
    expect(read(ofType("bool"), { x: [true, false, 1] })[0]?.data).toEqual(new Uint8Array([1, 0, 1]));
    expect(mistake(rows, { data: [] })).toContain("ShapeMismatch");
  });

  it.each<[what: string, model: ModelSchema, body: unknown, words: string]>([
    [
      "a list as the body",
      rows,
      [[1, 2, 3]],
      'BodyNotObject: The request body must be a JSON object with "features" [rows, 3].',
    ],
    ["a missing input", two, { age: [1] }, 'MissingInput: The input "name" is missing'],
    ["data for several inputs", two, { data: [1] }, "MissingInput: This model has several inputs"],
    ["an unknown input", rows, { features: [[1, 2, 3]], other: 1 }, 'UnknownInput: The model has no input "other"'],
    [
      "a single row",
      rows,
      { data: [1, 2, 3] },
      "ShapeMismatch: features has 1 dimensions; the model wants 2, [rows, 3]. A single row",
    ],
    [
      "too few columns",
      rows,
      { data: [[1, 2]] },
      "features has the shape [1, 2]; the model wants [rows, 3]: dimension 2 must be 3.",
    ],
    [
      "ragged rows",
      rows,
      {
        data: [
          [1, 2, 3],
          [1, 2],
        ],
      },
      "features[1] has 2 values where the ones before it have 3",
    ],
    ["a number for a row", rows, { data: [[1, 2, 3], 7] }, "features[1] must be a list of 3 values"],
    ["a text", rows, { data: [[1, "2", 3]] }, 'TypeMismatch: features[0][1] must be a number, not "2".'],
    ["null", rows, { data: [[1, 2, null]] }, "features[0][2] must be a number, not null."],
    ["a list for a number", rows, { data: [[1, [2], 3]] }, "features[0][1] must be a number, not a list."],
    ["a fraction for int64", two, { age: [1.5], name: ["a"] }, "age[0] must be a whole number"],
    ["a number that lost digits", two, { age: [2 ** 60], name: ["a"] }, "age[0] must be a whole number from"],
    ["a number beyond the type", ofType("uint8"), { x: [256] }, "x[0] must be a whole number from 0 to 255, not 256."],
    ["a number for a text", ofType("string"), { x: [1] }, "x[0] must be a text, not 1."],
  ])("refuses %s", (_, model, body, words) => {
    expect(mistake(model, body)).toContain(words);
  });

  it("refuses what is not JSON or not UTF-8", () => {
    expect(() => readInputs(rows, Buffer.from("{"))).toThrow(/not JSON/);
    expect(() => readInputs(rows, Buffer.from([0x22, 0xff, 0x22]))).toThrow(/not JSON/);
  });
});
