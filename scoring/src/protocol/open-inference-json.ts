import { DATATYPES, ELEMENT_TYPES, type ElementType, elementTypeOf } from "../tensor/element-types.ts";
import { dimensionsOf, fromNestedLists, toNestedLists } from "../tensor/nested-lists.ts";
import { elementCount, InputError, type Tensor } from "../tensor/tensor.ts";
import { fromBytes, toBytes } from "../tensor/tensor-bytes.ts";
import { isObject, parseJson } from "./json-body.ts";
import {
  checkDimensions,
  checkUnique,
  type InferenceAnswer,
  type InferenceRequest,
  type RequestedOutput,
} from "./open-inference.ts";

/**
 * The protocol's JSON with its binary tensor data extension: the JSON comes first, `Inference-Header-Content-Length` tells its
 * length, and the bytes of the tensors that have a `binary_data_size` follow in their order.
 */

export const JSON_LENGTH_HEADER = "inference-header-content-length";

/** @throws {InputError} */
export function readInferenceJson(payload: Uint8Array, jsonLength: string | undefined): InferenceRequest {
  const json = jsonBytes(payload, jsonLength);
  const body = parseJson(json);
  if (!isObject(body) || !Array.isArray(body.inputs))
    throw new InputError("InputsMissing", 'The request body must be a JSON object with a list "inputs".');
  const binary = new BinaryParts(payload.subarray(json.length));
  const inputs = body.inputs.map((input: unknown, index) => readInput(input, `inputs[${index}]`, binary));
  binary.checkEnd();
  checkUnique(inputs);
  const parameters = isObject(body.parameters) ? body.parameters : {};
  return {
    inputs,
    ...(typeof body.id === "string" && { id: body.id }),
    ...(Array.isArray(body.outputs) && { outputs: body.outputs.map(readRequestedOutput) }),
    binaryOutputs: parameters.binary_data_output === true,
  };
}

/** Body and headers of the answer. Outputs that are wanted as bytes follow the JSON. */
export function writeInferenceJson(
  request: InferenceRequest,
  answer: InferenceAnswer,
): { readonly body: Uint8Array; readonly headers: Readonly<Record<string, string>> } {
  const parts: Uint8Array[] = [];
  const outputs = answer.outputs.map((output) => {
    const { name, type, dims, data } = output;
    const described = { name, datatype: ELEMENT_TYPES[type].datatype, shape: dims };
    if (!wantsBinary(request, name))
      return { ...described, data: toNestedLists({ type, data, dims: [elementCount(dims)] }) };
    const bytes = toBytes(data);
    parts.push(bytes);
    return { ...described, parameters: { binary_data_size: bytes.length } };
  });
  const json = Buffer.from(
    JSON.stringify({
      model_name: answer.model,
      model_version: answer.version,
      ...(answer.id !== undefined && { id: answer.id }),
      outputs,
    }),
  );
  if (parts.length === 0) return { body: json, headers: { "content-type": "application/json" } };
  return {
    body: Buffer.concat([json, ...parts]),
    headers: { "content-type": "application/octet-stream", [JSON_LENGTH_HEADER]: String(json.length) },
  };
}

function wantsBinary({ outputs, binaryOutputs }: InferenceRequest, name: string): boolean {
  return outputs?.find((output) => output.name === name)?.binary ?? binaryOutputs ?? false;
}

function jsonBytes(payload: Uint8Array, length: string | undefined): Uint8Array {
  if (length === undefined) return payload;
  const bytes = Number(length);
  if (!/^\d+$/.test(length) || bytes > payload.length) {
    throw new InputError(
      "HeaderInvalid",
      `Inference-Header-Content-Length must be the length of the JSON, at most ${payload.length} here, not ${length}.`,
    );
  }
  return payload.subarray(0, bytes);
}

/** The bytes behind the JSON, given out in order. */
class BinaryParts {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  take(name: string, size: number): Uint8Array {
    const end = this.#at + size;
    if (end > this.#bytes.length) {
      const left = this.#bytes.length - this.#at;
      throw new InputError("BinarySizeMismatch", `${name} announces ${size} bytes, but only ${left} are left.`);
    }
    const part = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return part;
  }

  checkEnd(): void {
    const left = this.#bytes.length - this.#at;
    if (left > 0)
      throw new InputError("BinarySizeMismatch", `${left} bytes at the end of the body belong to no input.`);
  }
}

function readInput(value: unknown, place: string, binary: BinaryParts): Tensor {
  if (!isObject(value)) throw new InputError("InputInvalid", `${place} must be an object.`);
  const { name, shape, datatype, data } = value;
  if (typeof name !== "string") throw new InputError("InputInvalid", `${place} has no name.`);
  if (!Array.isArray(shape)) throw new InputError("ShapeInvalid", `${name} has no shape.`);
  const dims = checkDimensions(name, shape);
  const type = typeof datatype === "string" ? elementTypeOf(datatype) : undefined;
  if (type === undefined) {
    throw new InputError(
      "DatatypeUnknown",
      `The datatype of ${name} is ${JSON.stringify(datatype)}; it must be one of ${DATATYPES.join(", ")}.`,
    );
  }
  const parameters = isObject(value.parameters) ? value.parameters : {};
  if ("shared_memory_region" in parameters) {
    throw new InputError("ParameterUnsupported", `${name} is in shared memory, which this server does not read.`);
  }
  const size = parameters.binary_data_size;
  if (size === undefined) return { name, type, dims, data: readData(name, type, dims, data) };
  if (!Number.isSafeInteger(size) || Number(size) < 0)
    throw new InputError("ParameterInvalid", `binary_data_size of ${name} must be a whole number from 0 on.`);
  if (data !== undefined)
    throw new InputError("InputInvalid", `${name} has both data and binary_data_size; give one of them.`);
  return { name, type, dims, data: fromBytes(name, type, dims, binary.take(name, Number(size))) };
}

/** Flat, or nested like the shape. */
function readData(name: string, type: ElementType, dims: readonly number[], data: unknown): Tensor["data"] {
  if (!Array.isArray(data)) throw new InputError("InputInvalid", `${name} has no list "data".`);
  if (Array.isArray(data[0])) {
    const found = dimensionsOf(data);
    if (found.join() !== dims.join()) {
      throw new InputError("ShapeMismatch", `The data of ${name} is nested like [${found.join(", ")}], not its shape.`);
    }
    return fromNestedLists(name, type, dims, data);
  }
  if (data.length !== elementCount(dims)) {
    throw new InputError(
      "ShapeMismatch",
      `${name} has ${data.length} values; its shape [${dims.join(", ")}] tells ${elementCount(dims)}.`,
    );
  }
  return fromNestedLists(name, type, [data.length], data);
}

function readRequestedOutput(value: unknown, index: number): RequestedOutput {
  if (!isObject(value) || typeof value.name !== "string")
    throw new InputError("OutputInvalid", `outputs[${index}] must be an object with a name.`);
  const { name } = value;
  const parameters = isObject(value.parameters) ? value.parameters : {};
  for (const unsupported of ["classification", "shared_memory_region"]) {
    if (Number(parameters[unsupported] ?? 0) !== 0) {
      throw new InputError(
        "ParameterUnsupported",
        `${unsupported} is asked of the output ${name}; this server has none.`,
      );
    }
  }
  return { name, ...(typeof parameters.binary_data === "boolean" && { binary: parameters.binary_data }) };
}
