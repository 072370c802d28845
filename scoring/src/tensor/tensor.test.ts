import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DATATYPES, ELEMENT_TYPES, type ElementRules, type ElementType, elementTypeOf } from "./element-types.ts";
import { dimensionsOf, fromNestedLists, toNestedLists } from "./nested-lists.ts";
import { checkInputs, InputError, type Tensor } from "./tensor.ts";
import { fromBytes, toBytes } from "./tensor-bytes.ts";

const TYPES = Object.keys(ELEMENT_TYPES) as ElementType[];

/** A JSON value that a type accepts and gives back as it is. */
const jsonValue: Readonly<Record<ElementRules["json"], fc.Arbitrary<unknown>>> = {
  number: fc.integer({ min: -1000, max: 1000 }),
  integer: fc.integer({ min: 0, max: 127 }),
  boolean: fc.boolean(),
  string: fc.string({ unit: "grapheme" }),
};

const tensors = fc
  .tuple(fc.constantFrom(...TYPES), fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 3 }))
  .chain(([type, dims]) => {
    const count = dims.reduce((product, size) => product * size, 1);
    const values = fc.array(jsonValue[ELEMENT_TYPES[type].json], { minLength: count, maxLength: count });
    return values.map((flat): Tensor => {
      const data = fromNestedLists("x", type, [count], flat);
      return { name: "x", type, dims, data };
    });
  });

describe("a tensor", () => {
  it("is the same after a way through lists, and through bytes at any alignment", () => {
    fc.assert(
      fc.property(tensors, fc.integer({ min: 0, max: 9 }), (tensor, shift) => {
        const { name, type, dims, data } = tensor;
        const lists = toNestedLists(tensor);
        expect(dimensionsOf(lists)).toEqual(dims);
        expect(fromNestedLists(name, type, dims, lists)).toEqual(data);
        const bytes = toBytes(data);
        const shifted = new Uint8Array(shift + bytes.length);
        shifted.set(bytes, shift);
        expect(fromBytes(name, type, dims, shifted.subarray(shift))).toEqual(data);
      }),
    );
  });

  it("has halves as their bits, and large integers as texts", () => {
    const halves = fromNestedLists("x", "float16", [3], [1, -2, 65_504]);
    expect(halves).toEqual(new Uint16Array([0x3c00, 0xc000, 0x7bff]));
    expect(toNestedLists({ type: "float16", dims: [3], data: halves })).toEqual([1, -2, 65_504]);
    const large = { type: "int64", dims: [2], data: new BigInt64Array([1n, 2n ** 60n]) } as const;
    expect(toNestedLists(large)).toEqual([1, "1152921504606846976"]);
    expect(toNestedLists({ type: "float32", dims: [0, 2], data: new Float32Array() })).toEqual([]);
  });

  it("has a datatype of the protocol for each type", () => {
    for (const datatype of DATATYPES) {
      const rules: ElementRules = ELEMENT_TYPES[elementTypeOf(datatype) as ElementType];
      expect(rules.datatype).toBe(datatype);
    }
    expect(elementTypeOf("BF16")).toBeUndefined();
  });
});

describe("lists that are no tensor", () => {
  it("are refused before memory is taken for what they only announce", () => {
    const wide = Array(100_000).fill(0);
    const announced = [wide, ...Array(99_999).fill(0)];
    expect(() => fromNestedLists("x", "float64", dimensionsOf(announced), announced)).toThrow(/x\[1\] must be a list/);
  });

  it("are refused when they are nested without end", () => {
    let nested: unknown = 1;
    for (let depth = 0; depth < 10_000; depth += 1) nested = [nested];
    expect(() => dimensionsOf(nested)).toThrow(InputError);
  });
});

it.each<[what: string, type: ElementType, dims: number[], bytes: number[], words: RegExp]>([
  ["too short", "float32", [2], [0, 0, 0, 0], /x has 4 bytes; FP32 of the shape \[2\] has 8/],
  ["of a shape without end", "float32", [2 ** 40, 2 ** 40], [0], /x has 1 bytes/],
  ["no truth value", "bool", [2], [1, 2], /neither 0 nor 1/],
  ["texts too few", "string", [2], [1, 0, 0, 0, 65], /x has 1 elements; its shape tells 2/],
  ["a text beyond the end", "string", [1], [9, 0, 0, 0, 65], /x\[0\] reaches beyond the end/],
  ["half a length", "string", [1], [1, 0], /x\[0\] reaches beyond the end/],
  ["no UTF-8", "string", [1], [1, 0, 0, 0, 255], /x\[0\] is not UTF-8 text/],
])("bytes that are %s are refused", (_, type, dims, bytes, words) => {
  expect(() => fromBytes("x", type, dims, new Uint8Array(bytes))).toThrow(words);
});

it("tensors are checked against the model, by name, type and shape", () => {
  const schemas = [
    { name: "a", type: "float32", shape: ["rows", 2] },
    { name: "b", type: "int64", shape: [1] },
  ] as const;
  const a: Tensor = { name: "a", type: "float32", dims: [3, 2], data: new Float32Array(6) };
  const b: Tensor = { name: "b", type: "int64", dims: [1], data: new BigInt64Array(1) };
  expect(checkInputs(schemas, [b, a])).toEqual([a, b]);
  expect(() => checkInputs(schemas, [a])).toThrow(/"b" is missing/);
  expect(() => checkInputs(schemas, [a, b, { ...a, name: "c" }])).toThrow(/no input "c"/);
  expect(() => checkInputs(schemas, [{ ...a, type: "float64" }, b])).toThrow("a is FP64; the model wants FP32.");
  expect(() => checkInputs(schemas, [{ ...a, dims: [2, 3] }, b])).toThrow(/dimension 2 must be 2/);
});
