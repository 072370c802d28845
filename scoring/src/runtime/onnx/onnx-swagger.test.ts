import { expect, it } from "vitest";
import type { TensorSchema } from "../../tensor/tensor.ts";
import { readInputs } from "./model-input.ts";
import { onnxSwagger } from "./onnx-swagger.ts";

interface Described {
  readonly definitions: { readonly ServiceInput: { readonly example?: unknown } };
}

function exampleOf(...inputs: TensorSchema[]): unknown {
  const models = [{ name: "m", inputs, outputs: [] }];
  const config = { service: "s", revision: 1 } as Parameters<typeof onnxSwagger>[0];
  return (onnxSwagger(config, models) as Described).definitions.ServiceInput.example;
}

it("has an example that the model takes", () => {
  const wide: TensorSchema = { name: "x", type: "float32", shape: ["rows", 30] };
  const flags: TensorSchema = { name: "ok", type: "bool", shape: [2, 1] };
  const example = exampleOf(wide, flags);
  const tensors = readInputs({ name: "m", inputs: [wide, flags], outputs: [] }, Buffer.from(JSON.stringify(example)));
  expect(tensors.map(({ dims }) => dims)).toEqual([
    [1, 30],
    [2, 1],
  ]);
});

it("has none for inputs that would fill pages", () => {
  expect(exampleOf({ name: "image", type: "float32", shape: ["rows", 3, 224, 224] })).toBeUndefined();
});
