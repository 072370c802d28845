import { isObject, parseJson } from "../../protocol/json-body.ts";
import { dimensionsOf, fromNestedLists } from "../../tensor/nested-lists.ts";
import { checkNames, checkShape, InputError, inputNames, type Tensor, type TensorSchema } from "../../tensor/tensor.ts";
import type { ModelSchema } from "./model-schema.ts";

/**
 * Reads a request body: `{"data": [[…]]}` for a model of one input, else `{"NAME": nested lists, …}`, which may also stand
 * under `data`. `model` beside them names the model, if it has no input of that name.
 *
 * @throws {InputError}
 */
export function readInputs({ inputs }: ModelSchema, payload: Uint8Array): readonly Tensor[] {
  const values = inputValues(inputs, parseJson(payload));
  checkNames(inputs, Object.keys(values));
  return inputs.map((schema) => toTensor(schema, values[schema.name]));
}

/** A row of values for the model's one input. @throws {InputError} */
export function tensorOfRows({ inputs }: ModelSchema, rows: readonly (readonly unknown[])[]): readonly Tensor[] {
  return [toTensor(onlyInput(inputs), rows)];
}

function inputValues(inputs: readonly TensorSchema[], body: unknown): Record<string, unknown> {
  if (!isObject(body)) {
    throw new InputError("BodyNotObject", `The request body must be a JSON object with ${inputNames(inputs)}.`);
  }
  const { model, ...others } = body;
  const values = typeof model === "string" && !inputs.some(({ name }) => name === "model") ? others : body;
  const data = values.data;
  if (Object.keys(values).length !== 1 || data === undefined) return values;
  if (inputs.some(({ name }) => name === "data")) return values;
  if (isObject(data)) return data;
  return { [onlyInput(inputs).name]: data };
}

function onlyInput(inputs: readonly TensorSchema[]): TensorSchema {
  const [only] = inputs;
  if (only !== undefined && inputs.length === 1) return only;
  throw new InputError("MissingInput", `This model has several inputs; give each by its name: ${inputNames(inputs)}.`);
}

function toTensor(schema: TensorSchema, value: unknown): Tensor {
  const dims = dimensionsOf(value);
  // The number of dimensions first: its message is the one that helps.
  if (dims.length !== schema.shape.length) checkShape(schema, dims);
  const data = fromNestedLists(schema.name, schema.type, dims, value);
  checkShape(schema, dims);
  return { name: schema.name, type: schema.type, dims, data };
}
