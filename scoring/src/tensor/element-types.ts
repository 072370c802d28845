/// <reference lib="esnext.float16" />

export type ElementArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array
  | string[];

export interface ElementRules {
  /** its name in the Open Inference Protocol */
  readonly datatype: string;
  /** of one element in memory and on the wire; 0 where the length varies */
  readonly bytes: number;
  /** what a JSON value must be, in words */
  readonly words: string;
  readonly json: "number" | "integer" | "boolean" | "string";
  accepts(value: unknown): boolean;
  allocate(length: number): ElementArray;
  /** over the same memory, which must be aligned for it */
  view(buffer: ArrayBufferLike, offset: number, length: number): ElementArray;
  /** the accepted JSON value as an element */
  element(value: unknown): number | bigint | string;
  /** an element as a JSON value */
  value(element: number | bigint | string | undefined): unknown;
}

interface ArrayType {
  readonly BYTES_PER_ELEMENT: number;
  new (length: number): ElementArray;
  new (buffer: ArrayBufferLike, offset: number, length: number): ElementArray;
}

/** How each element type of ONNX looks in JSON, in memory, and in the Open Inference Protocol. */
export const ELEMENT_TYPES = {
  float16: { ...numbers("FP16", Uint16Array), element: (value: unknown) => halfBits(Number(value)), value: halfValue },
  float32: numbers("FP32", Float32Array),
  float64: numbers("FP64", Float64Array),
  int8: integers("INT8", -128, 127, Int8Array),
  int16: integers("INT16", -32_768, 32_767, Int16Array),
  int32: integers("INT32", -2_147_483_648, 2_147_483_647, Int32Array),
  int64: bigIntegers("INT64", Number.MIN_SAFE_INTEGER, BigInt64Array),
  uint8: integers("UINT8", 0, 255, Uint8Array),
  uint16: integers("UINT16", 0, 65_535, Uint16Array),
  uint32: integers("UINT32", 0, 4_294_967_295, Uint32Array),
  uint64: bigIntegers("UINT64", 0, BigUint64Array),
  bool: {
    ...inMemory(Uint8Array),
    datatype: "BOOL",
    words: "true or false",
    json: "boolean",
    accepts: (value: unknown) => typeof value === "boolean" || value === 0 || value === 1,
    element: (value: unknown) => Number(value),
    value: Boolean,
  },
  string: {
    datatype: "BYTES",
    bytes: 0,
    words: "a text",
    json: "string",
    accepts: (value: unknown) => typeof value === "string",
    allocate: (length: number) => new Array<string>(length).fill(""),
    view: (_buffer: ArrayBufferLike, _offset: number, length: number) => new Array<string>(length).fill(""),
    element: String,
    value: (element) => element,
  },
} as const satisfies Record<string, ElementRules>;

export type ElementType = keyof typeof ELEMENT_TYPES;

export function isElementType(type: string): type is ElementType {
  return Object.hasOwn(ELEMENT_TYPES, type);
}

const BY_DATATYPE = new Map(
  Object.entries(ELEMENT_TYPES).map(([type, { datatype }]) => [datatype as string, type as ElementType]),
);

export const DATATYPES: readonly string[] = [...BY_DATATYPE.keys()];

/** The element type that the Open Inference Protocol calls so. BF16 is none: ONNX Runtime for Node has no such tensors. */
export function elementTypeOf(datatype: string): ElementType | undefined {
  return BY_DATATYPE.get(datatype);
}

const scratch = new DataView(new ArrayBuffer(2));

/** ONNX Runtime takes halves as their 16 bits. */
function halfBits(value: number): number {
  scratch.setFloat16(0, value);
  return scratch.getUint16(0);
}

function halfValue(element: unknown): number {
  scratch.setUint16(0, Number(element));
  return scratch.getFloat16(0);
}

function inMemory(type: ArrayType): Pick<ElementRules, "bytes" | "allocate" | "view"> {
  return {
    bytes: type.BYTES_PER_ELEMENT,
    allocate: (length) => new type(length),
    view: (buffer, offset, length) => new type(buffer, offset, length),
  };
}

function numbers(datatype: string, type: ArrayType): ElementRules {
  return {
    ...inMemory(type),
    datatype,
    words: "a number",
    json: "number",
    accepts: (value) => typeof value === "number",
    element: Number,
    value: (element) => element,
  };
}

function integers(datatype: string, least: number, most: number, type: ArrayType): ElementRules {
  return {
    ...numbers(datatype, type),
    words: `a whole number from ${least} to ${most}`,
    json: "integer",
    accepts: (value) => Number.isInteger(value) && Number(value) >= least && Number(value) <= most,
  };
}

/** JSON numbers beyond 2^53 have lost digits before they get here: refused instead of rounded. */
function bigIntegers(datatype: string, least: number, type: ArrayType): ElementRules {
  return {
    ...numbers(datatype, type),
    words: `a whole number from ${least} to ${Number.MAX_SAFE_INTEGER}`,
    json: "integer",
    accepts: (value) => Number.isSafeInteger(value) && Number(value) >= least,
    element: (value) => BigInt(Number(value)),
    // A JSON number beyond 2^53 would be read with wrong digits: it goes out as a text.
    value: (element) => (Number.isSafeInteger(Number(element)) ? Number(element) : String(element)),
  };
}
