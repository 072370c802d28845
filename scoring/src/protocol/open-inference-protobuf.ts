import { type BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import {
  DATATYPES,
  ELEMENT_TYPES,
  type ElementArray,
  type ElementRules,
  type ElementType,
  elementTypeOf,
} from "../tensor/element-types.ts";
import { elementCount, InputError, type Tensor } from "../tensor/tensor.ts";
import { decodeText, fromBytes, toBytes } from "../tensor/tensor-bytes.ts";
import {
  checkDimensions,
  checkUnique,
  type InferenceAnswer,
  type InferenceRequest,
  type ModelDescription,
  type RequestedOutput,
  type ServerDescription,
  type TensorDescription,
} from "./open-inference.ts";
import { readFields, readPacked, readText } from "./protobuf-fields.ts";

/**
 * The messages of `inference.GRPCInferenceService` by the field numbers of the Open Inference Protocol's grpc_predict_v2.proto.
 * By hand, since tensors shall be read in place and there are few messages; checked against the genuine classes of tritonclient.
 */

/** `name` and `version` of ModelReadyRequest and ModelMetadataRequest. @throws {InputError} */
export function readModelName(message: Uint8Array): { readonly name: string; readonly version: string } {
  const named = { name: "", version: "" };
  readFields(message, {
    bytes: {
      1: (value) => {
        named.name = readText(value);
      },
      2: (value) => {
        named.version = readText(value);
      },
    },
  });
  return named;
}

/** ModelInferRequest without what {@link readModelName} reads. @throws {InputError} */
export function readInferenceMessage(message: Uint8Array): InferenceRequest {
  let id: string | undefined;
  const inputs: InputFields[] = [];
  const outputs: RequestedOutput[] = [];
  const raw: Uint8Array[] = [];
  readFields(message, {
    bytes: {
      3: (value) => {
        id = readText(value);
      },
      5: (value) => inputs.push(readInputFields(value)),
      6: (value) => outputs.push(readModelName(value)),
      7: (value) => raw.push(value),
    },
  });
  if (raw.length > 0 && raw.length !== inputs.length) {
    throw new InputError(
      "BinarySizeMismatch",
      `raw_input_contents has ${raw.length} entries for ${inputs.length} inputs; it must have one for each, or none.`,
    );
  }
  checkUnique(inputs);
  return {
    ...(id !== undefined && { id }),
    inputs: inputs.map((input, index) => toTensor(input, raw[index])),
    outputs: outputs.map(({ name }) => ({ name })),
  };
}

interface InputFields {
  name: string;
  datatype: string;
  readonly shape: number[];
  contents: Uint8Array | undefined;
}

function readInputFields(message: Uint8Array): InputFields {
  const input: InputFields = { name: "", datatype: "", shape: [], contents: undefined };
  const size = (reader: BinaryReader) => Number(reader.int64());
  readFields(message, {
    bytes: {
      1: (value) => {
        input.name = readText(value);
      },
      2: (value) => {
        input.datatype = readText(value);
      },
      3: (value) => input.shape.push(...readPacked(value, size)),
      5: (value) => {
        input.contents = value;
      },
    },
    varint: { 3: (reader) => input.shape.push(size(reader)) },
  });
  return input;
}

function toTensor({ name, datatype, shape, contents }: InputFields, raw: Uint8Array | undefined): Tensor {
  const type = elementTypeOf(datatype);
  if (type === undefined) {
    throw new InputError(
      "DatatypeUnknown",
      `The datatype of ${name} is ${JSON.stringify(datatype)}; it must be one of ${DATATYPES.join(", ")}.`,
    );
  }
  const dims = checkDimensions(name, shape);
  if (raw === undefined) return { name, type, dims, data: readContents(name, type, dims, contents) };
  if (contents !== undefined && contents.length > 0)
    throw new InputError("InputInvalid", `${name} has both contents and raw_input_contents; give one of them.`);
  return { name, type, dims, data: fromBytes(name, type, dims, raw) };
}

/** The field of InferTensorContents that holds the elements of a type. Halves have none: they come raw. */
const CONTENTS: Readonly<Record<ElementType, number | undefined>> = {
  bool: 1,
  int8: 2,
  int16: 2,
  int32: 2,
  int64: 3,
  uint8: 4,
  uint16: 4,
  uint32: 4,
  uint64: 5,
  float32: 6,
  float64: 7,
  string: 8,
  float16: undefined,
};

type Element = number | bigint | string;

function readContents(
  name: string,
  type: ElementType,
  dims: readonly number[],
  contents: Uint8Array = new Uint8Array(),
): ElementArray {
  const field = CONTENTS[type];
  if (field === undefined)
    throw new InputError("InputInvalid", `${name} is FP16, which only raw_input_contents can hold.`);
  const values: Element[] = [];
  const packed: Uint8Array[] = [];
  const number = (read: (reader: BinaryReader) => Element) => (reader: BinaryReader) => values.push(read(reader));
  const numbers = (read: (reader: BinaryReader) => Element) => (bytes: Uint8Array) => {
    for (const value of readPacked(bytes, read)) values.push(value);
  };
  const int = (reader: BinaryReader) => reader.int32();
  const long = (reader: BinaryReader) => BigInt(reader.int64());
  const unsigned = (reader: BinaryReader) => reader.uint32();
  const unsignedLong = (reader: BinaryReader) => BigInt(reader.uint64());
  const bool = (reader: BinaryReader) => Number(reader.bool());
  const byField = {
    bytes: {
      1: numbers(bool),
      2: numbers(int),
      3: numbers(long),
      4: numbers(unsigned),
      5: numbers(unsignedLong),
      6: (bytes: Uint8Array) => packed.push(bytes),
      7: (bytes: Uint8Array) => packed.push(bytes),
      8: (bytes: Uint8Array) => values.push(decodeText(`${name}[${values.length}]`, bytes)),
    },
    varint: { 1: number(bool), 2: number(int), 3: number(long), 4: number(unsigned), 5: number(unsignedLong) },
    fixed32: { 6: (reader: BinaryReader) => packed.push(toBytes(new Float32Array([reader.float()]))) },
    fixed64: { 7: (reader: BinaryReader) => packed.push(toBytes(new Float64Array([reader.double()]))) },
  };
  readFields(contents, {
    bytes: only(byField.bytes, field),
    varint: only(byField.varint, field),
    fixed32: only(byField.fixed32, field),
    fixed64: only(byField.fixed64, field),
  });
  // Packed floats are what the raw form would be.
  const [first = new Uint8Array(), ...more] = packed;
  if (field === 6 || field === 7) return fromBytes(name, type, dims, more.length === 0 ? first : Buffer.concat(packed));
  return elements(name, type, dims, values);
}

function only<T>(readers: Readonly<Record<number, T>>, field: number): Readonly<Record<number, T>> {
  const reader = readers[field];
  return reader === undefined ? {} : { [field]: reader };
}

function elements(name: string, type: ElementType, dims: readonly number[], values: readonly Element[]): ElementArray {
  if (values.length !== elementCount(dims)) {
    throw new InputError(
      "ShapeMismatch",
      `${name} has ${values.length} values; its shape [${dims.join(", ")}] tells ${elementCount(dims)}.`,
    );
  }
  const rules: ElementRules = ELEMENT_TYPES[type];
  const data = rules.allocate(values.length);
  const large = type === "int64" || type === "uint64";
  values.forEach((value, index) => {
    // The contents of small integers are 32 bits wide.
    if (!large && !rules.accepts(value))
      throw new InputError("TypeMismatch", `${name}[${index}] must be ${rules.words}, not ${value}.`);
    (data as { [index: number]: Element })[index] = value;
  });
  return data;
}

/** ModelInferResponse, its tensors in raw_output_contents. */
export function writeInferenceMessage({ model, version, id = "", outputs }: InferenceAnswer): Uint8Array {
  const writer = new BinaryWriter();
  writeTexts(writer, [
    [1, model],
    [2, version],
    [3, id],
  ]);
  for (const { name, type, dims } of outputs) {
    writer.tag(5, WireType.LengthDelimited).fork();
    writeTensor(writer, { name, datatype: ELEMENT_TYPES[type].datatype, shape: dims });
    writer.join();
  }
  for (const { data } of outputs) writer.tag(6, WireType.LengthDelimited).bytes(toBytes(data));
  return writer.finish();
}

/** ServerMetadataResponse */
export function writeServerMessage({ name, version, extensions }: ServerDescription): Uint8Array {
  const writer = new BinaryWriter();
  writeTexts(writer, [[1, name], [2, version], ...extensions.map((extension) => [3, extension] as const)]);
  return writer.finish();
}

/** ModelMetadataResponse */
export function writeModelMessage(model: ModelDescription): Uint8Array {
  const writer = new BinaryWriter();
  writeTexts(writer, [[1, model.name], ...model.versions.map((version) => [2, version] as const), [3, model.platform]]);
  for (const [field, tensors] of [
    [4, model.inputs],
    [5, model.outputs],
  ] as const) {
    for (const tensor of tensors) {
      writer.tag(field, WireType.LengthDelimited).fork();
      writeTensor(writer, tensor);
      writer.join();
    }
  }
  return writer.finish();
}

/** ServerLiveResponse, ServerReadyResponse, ModelReadyResponse */
export function writeYesMessage(yes: boolean): Uint8Array {
  return yes ? new BinaryWriter().tag(1, WireType.Varint).bool(true).finish() : new Uint8Array();
}

function writeTensor(writer: BinaryWriter, { name, datatype, shape }: TensorDescription): void {
  writeTexts(writer, [
    [1, name],
    [2, datatype],
  ]);
  if (shape.length === 0) return;
  writer.tag(3, WireType.LengthDelimited).fork();
  for (const size of shape) writer.int64(size);
  writer.join();
}

function writeTexts(writer: BinaryWriter, texts: readonly (readonly [field: number, text: string])[]): void {
  for (const [field, text] of texts) {
    if (text !== "") writer.tag(field, WireType.LengthDelimited).string(text);
  }
}
