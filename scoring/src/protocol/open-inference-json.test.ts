import { describe, expect, it } from "vitest";
import type { Tensor } from "../tensor/tensor.ts";
import { chosenOutputs, type InferenceRequest } from "./open-inference.ts";
import { JSON_LENGTH_HEADER, readInferenceJson, writeInferenceJson } from "./open-inference-json.ts";

const json = (value: unknown) => Buffer.from(JSON.stringify(value));
const input = (fields: Record<string, unknown>) => ({ name: "x", shape: [2], datatype: "FP32", ...fields });
const read = (value: unknown) => readInferenceJson(json(value), undefined);

describe("readInferenceJson", () => {
  it("takes data flat and nested", () => {
    const flat = read({ inputs: [input({ shape: [2, 2], data: [1, 2, 3, 4] })] });
    const nested = read({
      inputs: [
        input({
          shape: [2, 2],
          data: [
            [1, 2],
            [3, 4],
          ],
        }),
      ],
    });
    expect(flat).toEqual(nested);
    expect(flat.inputs[0]?.data).toEqual(new Float32Array([1, 2, 3, 4]));
  });

  it("takes binary tensors behind the JSON, in their order, among others", () => {
    const head = json({
      id: "r",
      inputs: [
        input({ parameters: { binary_data_size: 8 } }),
        input({ name: "y", datatype: "INT64", shape: [1], data: [7] }),
        input({ name: "z", datatype: "BYTES", shape: [1], parameters: { binary_data_size: 6 } }),
      ],
      parameters: { binary_data_output: true },
    });
    const tail = Buffer.concat([new Uint8Array(new Float32Array([1.5, 2.5]).buffer), Buffer.from("\x02\0\0\0hi")]);
    const request = readInferenceJson(Buffer.concat([head, tail]), String(head.length));
    expect(request).toMatchObject({ id: "r", binaryOutputs: true });
    expect(request.inputs.map(({ data }) => data)).toEqual([
      new Float32Array([1.5, 2.5]),
      new BigInt64Array([7n]),
      ["hi"],
    ]);
  });

  it.each<[what: string, body: unknown, words: RegExp]>([
    ["no inputs", {}, /list "inputs"/],
    ["an input that is none", { inputs: [1] }, /inputs\[0\] must be an object/],
    ["no name", { inputs: [{}] }, /inputs\[0\] has no name/],
    ["no shape", { inputs: [{ name: "x" }] }, /x has no shape/],
    [
      "a negative dimension",
      { inputs: [input({ shape: [-1] })] },
      /shape of x must hold whole numbers from 0 on, not -1/,
    ],
    [
      "an unknown datatype",
      { inputs: [input({ datatype: "BF16" })] },
      /datatype of x is "BF16"; it must be one of FP16, FP32/,
    ],
    ["no data", { inputs: [input({})] }, /x has no list "data"/],
    ["too little data", { inputs: [input({ data: [1] })] }, /x has 1 values; its shape \[2\] tells 2/],
    ["data nested in another way", { inputs: [input({ data: [[1, 2]] })] }, /nested like \[1, 2\], not its shape/],
    ["data of another kind", { inputs: [input({ data: [1, "2"] })] }, /x\[1\] must be a number, not "2"/],
    ["one name twice", { inputs: [input({ data: [1, 2] }), input({ data: [1, 2] })] }, /"x" is given twice/],
    [
      "more binary than there is",
      { inputs: [input({ parameters: { binary_data_size: 8 } })] },
      /announces 8 bytes, but only 0/,
    ],
    [
      "a size that is none",
      { inputs: [input({ parameters: { binary_data_size: -8 } })] },
      /binary_data_size of x must be/,
    ],
    [
      "data and binary data",
      { inputs: [input({ data: [1, 2], parameters: { binary_data_size: 0 } })] },
      /give one of them/,
    ],
    ["shared memory", { inputs: [input({ parameters: { shared_memory_region: "r" } })] }, /shared memory/],
    [
      "classification",
      { inputs: [], outputs: [{ name: "y", parameters: { classification: 2 } }] },
      /classification is asked of the output y/,
    ],
    ["an output without a name", { inputs: [], outputs: [{}] }, /outputs\[0\] must be an object with a name/],
  ])("refuses %s", (_, body, words) => {
    expect(() => read(body)).toThrow(words);
  });

  it("refuses lengths that do not fit the body", () => {
    const body = json({ inputs: [] });
    expect(() => readInferenceJson(body, "1e9")).toThrow(/must be the length of the JSON/);
    expect(() => readInferenceJson(body, "-1")).toThrow(/must be the length of the JSON/);
    expect(() => readInferenceJson(body, "999")).toThrow(/at most 13 here, not 999/);
    expect(() => readInferenceJson(Buffer.concat([body, Buffer.from("??")]), String(body.length))).toThrow(
      /2 bytes at the end of the body belong to no input/,
    );
  });
});

describe("writeInferenceJson", () => {
  const outputs: readonly Tensor[] = [
    { name: "a", type: "float32", dims: [1, 2], data: new Float32Array([1, 2]) },
    { name: "b", type: "string", dims: [1], data: ["hi"] },
  ];
  const write = (request: Partial<InferenceRequest>) =>
    writeInferenceJson({ inputs: [], ...request }, { model: "m", version: "3", id: "r", outputs });

  it("writes flat lists", () => {
    const { body, headers } = write({});
    expect(headers).toEqual({ "content-type": "application/json" });
    expect(JSON.parse(Buffer.from(body).toString())).toEqual({
      model_name: "m",
      model_version: "3",
      id: "r",
      outputs: [
        { name: "a", datatype: "FP32", shape: [1, 2], data: [1, 2] },
        { name: "b", datatype: "BYTES", shape: [1], data: ["hi"] },
      ],
    });
  });

  it("puts bytes behind the JSON for those outputs that are wanted so", () => {
    const { body, headers } = write({ binaryOutputs: true, outputs: [{ name: "a", binary: false }] });
    const length = Number(headers[JSON_LENGTH_HEADER]);
    const bytes = Buffer.from(body);
    expect(JSON.parse(bytes.subarray(0, length).toString()).outputs).toEqual([
      { name: "a", datatype: "FP32", shape: [1, 2], data: [1, 2] },
      { name: "b", datatype: "BYTES", shape: [1], parameters: { binary_data_size: 6 } },
    ]);
    expect(bytes.subarray(length).toString()).toBe("\x02\0\0\0hi");
  });

  it("gives the wanted outputs in the wanted order, and names those that there are for one that is not", () => {
    const request = { inputs: [], outputs: [{ name: "b" }, { name: "a" }] };
    expect(chosenOutputs(request, outputs).map(({ name }) => name)).toEqual(["b", "a"]);
    expect(() => chosenOutputs({ inputs: [], outputs: [{ name: "c" }] }, outputs)).toThrow('there are: "a", "b"');
  });
});
