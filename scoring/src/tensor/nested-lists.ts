import { ELEMENT_TYPES, type ElementArray, type ElementRules, type ElementType } from "./element-types.ts";
import { elementCount, InputError, type Tensor } from "./tensor.ts";

/** No tensor has more; lists nested without end would use up the stack. */
const MAX_DIMENSIONS = 32;

/** Tensors as nested lists of JSON values, and back. */

export function toNestedLists({ data, dims, type }: Pick<Tensor, "data" | "dims" | "type">): unknown {
  const { value }: ElementRules = ELEMENT_TYPES[type];
  let at = 0;
  const take = (depth: number): unknown => {
    const size = dims[depth];
    if (size === undefined) {
      const element = value(data[at]);
      at += 1;
      return element;
    }
    // A loop: on the hot path, and several times as fast as Array.from.
    const list: unknown[] = [];
    for (let index = 0; index < size; index += 1) list.push(take(depth + 1));
    return list;
  };
  return take(0);
}

/** The dimensions that the first elements tell; {@link fromNestedLists} checks the others against them. */
export function dimensionsOf(value: unknown): number[] {
  const dims: number[] = [];
  for (let inner = value; Array.isArray(inner); inner = inner[0]) {
    if (dims.length === MAX_DIMENSIONS)
      throw new InputError("ShapeMismatch", `Lists can be nested ${MAX_DIMENSIONS} deep, not deeper.`);
    dims.push(inner.length);
  }
  return dims;
}

/** @throws {InputError} that names the place where the lists are not of these dimensions or hold something else */
export function fromNestedLists(
  name: string,
  type: ElementType,
  dims: readonly number[],
  value: unknown,
): ElementArray {
  // Before memory is taken: dimensions that only the first elements have could ask for any amount.
  checkLists(name, dims, value, []);
  const rules: ElementRules = ELEMENT_TYPES[type];
  const data = rules.allocate(elementCount(dims));
  let at = 0;
  const fill = (inner: unknown, depth: number, path: number[]) => {
    if (depth < dims.length) {
      const list = inner as readonly unknown[];
      for (let index = 0; index < list.length; index += 1) {
        path[depth] = index;
        fill(list[index], depth + 1, path);
      }
      return;
    }
    if (!rules.accepts(inner)) {
      const found = Array.isArray(inner) ? "a list" : JSON.stringify(inner);
      throw new InputError("TypeMismatch", `${place(name, path)} must be ${rules.words}, not ${found}.`);
    }
    (data as { [index: number]: number | bigint | string })[at] = rules.element(inner);
    at += 1;
  };
  fill(value, 0, []);
  return data;
}

function checkLists(name: string, dims: readonly number[], value: unknown, path: readonly number[]): void {
  const size = dims[path.length];
  if (size === undefined) return;
  if (!Array.isArray(value)) {
    throw new InputError(
      "ShapeMismatch",
      `${place(name, path)} must be a list of ${size} values like the ones before it.`,
    );
  }
  if (value.length !== size) {
    throw new InputError(
      "ShapeMismatch",
      `${place(name, path)} has ${value.length} values where the ones before it have ${size}.`,
    );
  }
  if (path.length + 1 === dims.length) return;
  value.forEach((inner, index) => {
    checkLists(name, dims, inner, [...path, index]);
  });
}

function place(name: string, path: readonly number[]): string {
  return name + path.map((index) => `[${index}]`).join("");
}
