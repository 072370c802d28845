/** Writes small ONNX models byte by byte (onnx.proto3, the few fields that a model needs), so that tests need no Python. */

const ElementTypeNumber = {
  float32: 1,
  int64: 7,
  string: 8,
  bool: 9,
  float16: 10,
  float64: 11,
  bfloat16: 16,
} as const;

interface ValueInfo {
  readonly name: string;
  readonly type: keyof typeof ElementTypeNumber;
  readonly shape: readonly (number | string)[];
}

export interface Graph {
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly nodes: readonly {
    readonly op: string;
    readonly inputs: readonly string[];
    readonly outputs: readonly string[];
  }[];
  readonly weights?: readonly {
    readonly name: string;
    readonly dims: readonly number[];
    readonly values: readonly number[];
  }[];
}

export function onnxModel(graph: Graph): Uint8Array {
  const graphBytes = [
    ...graph.nodes.map(({ op, inputs, outputs }) =>
      field(1, [...inputs.map((name) => text(1, name)), ...outputs.map((name) => text(2, name)), text(4, op)]),
    ),
    text(2, "test"),
    ...(graph.weights ?? []).map(({ name, dims, values }) =>
      field(5, [
        ...dims.map((size) => number(1, size)),
        number(2, ElementTypeNumber.float32),
        text(8, name),
        bytes(9, new Uint8Array(new Float32Array(values).buffer)),
      ]),
    ),
    ...graph.inputs.map((info) => field(11, valueInfo(info))),
    ...graph.outputs.map((info) => field(12, valueInfo(info))),
  ];
  return join([number(1, 8), field(8, [text(1, ""), number(2, 17)]), field(7, graphBytes)]);
}

function valueInfo({ name, type, shape }: ValueInfo): Uint8Array[] {
  const dims = shape.map((size) => field(1, [typeof size === "number" ? number(1, size) : text(2, size)]));
  return [text(1, name), field(2, [field(1, [number(1, ElementTypeNumber[type]), field(2, dims)])])];
}

function number(tag: number, value: number): Uint8Array {
  return join([varint(tag << 3), varint(value)]);
}

function text(tag: number, value: string): Uint8Array {
  return bytes(tag, new TextEncoder().encode(value));
}

function field(tag: number, parts: readonly Uint8Array[]): Uint8Array {
  return bytes(tag, join(parts));
}

function bytes(tag: number, value: Uint8Array): Uint8Array {
  return join([varint((tag << 3) | 2), varint(value.length), value]);
}

function varint(value: number): Uint8Array {
  const out: number[] = [];
  let rest = value;
  while (rest > 127) {
    out.push((rest & 127) | 128);
    rest >>>= 7;
  }
  return new Uint8Array([...out, rest]);
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}
