/** One input or output of a model. An empty shape is a scalar, or a shape that the model does not tell. */
export interface TensorSchema {
  readonly name: string;
  readonly type: ElementType;
  /** a text is a dimension of any size, under the name that the model gives it */
  readonly shape: readonly (number | string)[];
}

export interface ModelSchema {
  readonly name: string;
  readonly inputs: readonly TensorSchema[];
  readonly outputs: readonly TensorSchema[];
}

export type ElementType = keyof typeof ELEMENT_TYPES;

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
  /** what a value must be, in words */
  readonly words: string;
  readonly json: "number" | "integer" | "boolean" | "string";
  accepts(value: unknown): boolean;
  allocate(length: number): ElementArray;
  /** the accepted JSON value as an element */
  element(value: unknown): number | bigint | string;
}

/** How each element type of ONNX looks in JSON and in memory. */
export const ELEMENT_TYPES = {
  float32: numbers((length) => new Float32Array(length)),
  float64: numbers((length) => new Float64Array(length)),
  int8: integers(-128, 127, (length) => new Int8Array(length)),
  int16: integers(-32_768, 32_767, (length) => new Int16Array(length)),
  int32: integers(-2_147_483_648, 2_147_483_647, (length) => new Int32Array(length)),
  int64: bigIntegers(Number.MIN_SAFE_INTEGER, (length) => new BigInt64Array(length)),
  uint8: integers(0, 255, (length) => new Uint8Array(length)),
  uint16: integers(0, 65_535, (length) => new Uint16Array(length)),
  uint32: integers(0, 4_294_967_295, (length) => new Uint32Array(length)),
  uint64: bigIntegers(0, (length) => new BigUint64Array(length)),
  bool: {
    words: "true or false",
    json: "boolean",
    accepts: (value: unknown) => typeof value === "boolean" || value === 0 || value === 1,
    allocate: (length: number) => new Uint8Array(length),
    element: (value: unknown) => Number(value),
  },
  string: {
    words: "a text",
    json: "string",
    accepts: (value: unknown) => typeof value === "string",
    allocate: (length: number) => new Array<string>(length).fill(""),
    element: String,
  },
} as const satisfies Record<string, ElementRules>;

export function isElementType(type: string): type is ElementType {
  return Object.hasOwn(ELEMENT_TYPES, type);
}

/** `[rows, 10]`, for people */
export function shapeText(shape: readonly (number | string)[]): string {
  return `[${shape.map((size) => (isFixed(size) ? size : size === "" || typeof size === "number" ? "any" : size)).join(", ")}]`;
}

export function isFixed(size: number | string): size is number {
  return typeof size === "number" && size >= 0;
}

function numbers(allocate: (length: number) => ElementArray): ElementRules {
  return {
    words: "a number",
    json: "number",
    accepts: (value) => typeof value === "number",
    allocate,
    element: Number,
  };
}

function integers(least: number, most: number, allocate: (length: number) => ElementArray): ElementRules {
  return {
    words: `a whole number from ${least} to ${most}`,
    json: "integer",
    accepts: (value) => Number.isInteger(value) && Number(value) >= least && Number(value) <= most,
    allocate,
    element: Number,
  };
}

/** JSON numbers beyond 2^53 have lost digits before they get here: refused instead of rounded. */
function bigIntegers(least: number, allocate: (length: number) => ElementArray): ElementRules {
  return {
    words: `a whole number from ${least} to ${Number.MAX_SAFE_INTEGER}`,
    json: "integer",
    accepts: (value) => Number.isSafeInteger(value) && Number(value) >= least,
    allocate,
    element: (value) => BigInt(Number(value)),
  };
}
