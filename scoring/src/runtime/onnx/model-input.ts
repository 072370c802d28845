import {
  ELEMENT_TYPES,
  type ElementArray,
  type ElementRules,
  isFixed,
  type ModelSchema,
  shapeText,
  type TensorSchema,
} from "./model-schema.ts";

/** The caller's mistake, in words that name the field. */
export class InputError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export interface TensorData {
  readonly schema: TensorSchema;
  readonly data: ElementArray;
  readonly dims: readonly number[];
}

/**
 * Reads a request body: `{"data": [[…]]}` for a model of one input, else `{"NAME": nested lists, …}`, which may also stand
 * under `data`.
 *
 * @throws {InputError}
 */
export function readInputs(model: ModelSchema, payload: Uint8Array): readonly TensorData[] {
  const values = inputValues(model, parse(payload));
  const names = new Set(model.inputs.map(({ name }) => name));
  for (const name of Object.keys(values)) {
    if (!names.has(name)) {
      throw new InputError(
        "UnknownInput",
        `The model has no input ${JSON.stringify(name)}; it has ${inputNames(model)}.`,
      );
    }
  }
  return model.inputs.map((schema) => {
    if (!Object.hasOwn(values, schema.name)) {
      throw new InputError(
        "MissingInput",
        `The input ${JSON.stringify(schema.name)} is missing; the model has ${inputNames(model)}.`,
      );
    }
    return toTensor(schema, values[schema.name]);
  });
}

function inputValues(model: ModelSchema, body: unknown): Record<string, unknown> {
  if (!isObject(body)) {
    throw new InputError("BodyNotObject", `The request body must be a JSON object with ${inputNames(model)}.`);
  }
  const data = body.data;
  if (Object.keys(body).length !== 1 || data === undefined) return body;
  if (model.inputs.some(({ name }) => name === "data")) return body;
  if (isObject(data)) return data;
  const [only] = model.inputs;
  if (only === undefined || model.inputs.length > 1) {
    throw new InputError("MissingInput", `This model has several inputs; give each by its name: ${inputNames(model)}.`);
  }
  return { [only.name]: data };
}

function toTensor(schema: TensorSchema, value: unknown): TensorData {
  const dims = dimensions(value);
  const { name, shape } = schema;
  if (shape.length > 0 && shape.length !== dims.length) {
    const hint = dims.length === shape.length - 1 ? " A single row needs one more list around it." : "";
    throw new InputError(
      "ShapeMismatch",
      `${name} has ${dims.length} dimensions; the model wants ${shape.length}, ${shapeText(shape)}.${hint}`,
    );
  }
  const rules: ElementRules = ELEMENT_TYPES[schema.type];
  const data = rules.allocate(dims.reduce((product, size) => product * size, 1));
  fill(data, 0, value, { dims, name, rules }, [], 0);
  shape.forEach((size, axis) => {
    if (isFixed(size) && dims[axis] !== size) {
      throw new InputError(
        "ShapeMismatch",
        `${name} has the shape ${shapeText(dims)}; the model wants ${shapeText(shape)}: dimension ${axis + 1} must be ${size}.`,
      );
    }
  });
  return { schema, data, dims };
}

/** As the first elements tell it; {@link fill} checks the others against it. */
function dimensions(value: unknown): number[] {
  const dims: number[] = [];
  for (let inner = value; Array.isArray(inner); inner = inner[0]) dims.push(inner.length);
  return dims;
}

interface Layout {
  readonly dims: readonly number[];
  readonly name: string;
  readonly rules: ElementRules;
}

function fill(data: ElementArray, at: number, value: unknown, layout: Layout, path: number[], depth: number): number {
  const size = layout.dims[depth];
  if (size === undefined) {
    if (!layout.rules.accepts(value)) {
      const found = Array.isArray(value) ? "a list" : JSON.stringify(value);
      throw new InputError("TypeMismatch", `${place(layout, path)} must be ${layout.rules.words}, not ${found}.`);
    }
    (data as { [index: number]: number | bigint | string })[at] = layout.rules.element(value);
    return at + 1;
  }
  if (!Array.isArray(value)) {
    throw new InputError(
      "ShapeMismatch",
      `${place(layout, path)} must be a list of ${size} values like the ones before it.`,
    );
  }
  if (value.length !== size) {
    throw new InputError(
      "ShapeMismatch",
      `${place(layout, path)} has ${value.length} values where the ones before it have ${size}.`,
    );
  }
  let next = at;
  for (let index = 0; index < size; index += 1) {
    path.push(index);
    next = fill(data, next, value[index], layout, path, depth + 1);
    path.pop();
  }
  return next;
}

function place({ name }: Layout, path: readonly number[]): string {
  return name + path.map((index) => `[${index}]`).join("");
}

function inputNames(model: ModelSchema): string {
  return model.inputs.map(({ name, shape }) => `${JSON.stringify(name)} ${shapeText(shape)}`).join(", ");
}

function parse(payload: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload));
  } catch (error) {
    throw new InputError(
      "BodyNotJson",
      `The request body is not JSON: ${error instanceof Error ? error.message : error}.`,
    );
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
