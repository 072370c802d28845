import { ELEMENT_TYPES, type ElementArray, type ElementType } from "./element-types.ts";

export interface Tensor {
  readonly name: string;
  readonly type: ElementType;
  readonly dims: readonly number[];
  /** row by row; halves as their 16 bits, truth values as 0 and 1 */
  readonly data: ElementArray;
}

/** One input or output of a model. An empty shape is a scalar, or a shape that the model does not tell. */
export interface TensorSchema {
  readonly name: string;
  readonly type: ElementType;
  /** a text is a dimension of any size, under the name that the model gives it */
  readonly shape: readonly (number | string)[];
}

/** The caller's mistake, in words that name the field. */
export class InputError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export function elementCount(dims: readonly number[]): number {
  return dims.reduce((product, size) => product * size, 1);
}

export function isFixed(size: number | string): size is number {
  return typeof size === "number" && size >= 0;
}

/** `[rows, 10]`, for people */
export function shapeText(shape: readonly (number | string)[]): string {
  return `[${shape.map((size) => (isFixed(size) ? size : size === "" || typeof size === "number" ? "any" : size)).join(", ")}]`;
}

/** @throws {InputError} when the tensor's shape is none that the model takes */
export function checkShape({ name, shape }: TensorSchema, dims: readonly number[]): void {
  if (shape.length > 0 && shape.length !== dims.length) {
    const hint = dims.length === shape.length - 1 ? " A single row needs one more list around it." : "";
    throw new InputError(
      "ShapeMismatch",
      `${name} has ${dims.length} dimensions; the model wants ${shape.length}, ${shapeText(shape)}.${hint}`,
    );
  }
  shape.forEach((size, axis) => {
    if (isFixed(size) && dims[axis] !== size) {
      throw new InputError(
        "ShapeMismatch",
        `${name} has the shape ${shapeText(dims)}; the model wants ${shapeText(shape)}: dimension ${axis + 1} must be ${size}.`,
      );
    }
  });
}

/** The tensors in the order of the model's inputs. @throws {InputError} unless they are exactly what it takes */
export function checkInputs(schemas: readonly TensorSchema[], tensors: readonly Tensor[]): readonly Tensor[] {
  checkNames(
    schemas,
    tensors.map(({ name }) => name),
  );
  return schemas.map((schema) => {
    const tensor = tensors.find(({ name }) => name === schema.name) as Tensor;
    if (tensor.type !== schema.type) {
      throw new InputError(
        "TypeMismatch",
        `${schema.name} is ${ELEMENT_TYPES[tensor.type].datatype}; the model wants ${ELEMENT_TYPES[schema.type].datatype}.`,
      );
    }
    checkShape(schema, tensor.dims);
    return tensor;
  });
}

/** @throws {InputError} on a name that the model does not know, and on one that is missing */
export function checkNames(schemas: readonly TensorSchema[], names: readonly string[]): void {
  const unknown = names.find((name) => !schemas.some((schema) => schema.name === name));
  if (unknown !== undefined) {
    throw new InputError(
      "UnknownInput",
      `The model has no input ${JSON.stringify(unknown)}; it has ${inputNames(schemas)}.`,
    );
  }
  const missing = schemas.find(({ name }) => !names.includes(name));
  if (missing !== undefined) {
    throw new InputError(
      "MissingInput",
      `The input ${JSON.stringify(missing.name)} is missing; the model has ${inputNames(schemas)}.`,
    );
  }
}

export function inputNames(schemas: readonly TensorSchema[]): string {
  return schemas.map(({ name, shape }) => `${JSON.stringify(name)} ${shapeText(shape)}`).join(", ");
}
