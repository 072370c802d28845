import type { ElementRules } from "../tensor/element-types.ts";
import { ELEMENT_TYPES } from "../tensor/element-types.ts";
import { InputError, isFixed, type Tensor, type TensorSchema } from "../tensor/tensor.ts";

/** The Open Inference Protocol, version 2, as far as REST and gRPC share it. */

export interface InferenceRequest {
  /** the caller's own name for it, given back with the answer */
  readonly id?: string;
  readonly inputs: readonly Tensor[];
  /** the outputs that are wanted; absent or empty: all */
  readonly outputs?: readonly RequestedOutput[];
  /** REST: whether outputs that do not say so themselves are wanted as bytes */
  readonly binaryOutputs?: boolean;
}

export interface RequestedOutput {
  readonly name: string;
  readonly binary?: boolean;
}

export interface InferenceAnswer {
  readonly model: string;
  readonly version: string;
  readonly id?: string;
  readonly outputs: readonly Tensor[];
}

export interface ServerDescription {
  readonly name: string;
  readonly version: string;
  readonly extensions: readonly string[];
}

export interface ModelDescription {
  readonly name: string;
  readonly versions: readonly string[];
  readonly platform: string;
  readonly inputs: readonly TensorDescription[];
  readonly outputs: readonly TensorDescription[];
}

export interface TensorDescription {
  readonly name: string;
  readonly datatype: string;
  /** -1 is a dimension of any size */
  readonly shape: readonly number[];
}

export function describeTensor({ name, type, shape }: TensorSchema): TensorDescription {
  const { datatype }: ElementRules = ELEMENT_TYPES[type];
  return { name, datatype, shape: shape.map((size) => (isFixed(size) ? size : -1)) };
}

/** @throws {InputError} for an output that the model does not have */
export function chosenOutputs(request: InferenceRequest, outputs: readonly Tensor[]): readonly Tensor[] {
  if (request.outputs === undefined || request.outputs.length === 0) return outputs;
  return request.outputs.map(({ name }) => {
    const found = outputs.find((output) => output.name === name);
    if (found !== undefined) return found;
    const names = outputs.map((output) => JSON.stringify(output.name)).join(", ");
    throw new InputError("UnknownOutput", `There is no output ${JSON.stringify(name)}; there are: ${names}.`);
  });
}

/** @throws {InputError} for dimensions that no tensor has */
export function checkDimensions(name: string, dims: readonly unknown[]): readonly number[] {
  const wrong = dims.find((size) => !Number.isSafeInteger(size) || Number(size) < 0);
  if (wrong !== undefined) {
    throw new InputError(
      "ShapeInvalid",
      `The shape of ${name} must hold whole numbers from 0 on, not ${JSON.stringify(wrong)}.`,
    );
  }
  return dims as readonly number[];
}

/** @throws {InputError} when two tensors have one name */
export function checkUnique(tensors: readonly { readonly name: string }[]): void {
  const names = new Set<string>();
  for (const { name } of tensors) {
    if (names.has(name)) throw new InputError("DuplicateInput", `${JSON.stringify(name)} is given twice.`);
    names.add(name);
  }
}
