import type { ElementArray } from "../../tensor/element-types.ts";
import { ELEMENT_TYPES, type ElementRules } from "../../tensor/element-types.ts";
import type { Tensor } from "../../tensor/tensor.ts";

/** Requests become one run by putting the rows of their tensors, along the first dimension, one below the other. */

/** The rows that all tensors have in common; undefined when they differ or there are none. */
export function rowsOf(tensors: readonly Tensor[]): number | undefined {
  const rows = tensors[0]?.dims[0];
  return rows !== undefined && rows > 0 && tensors.every(({ dims }) => dims[0] === rows) ? rows : undefined;
}

/** Tensors of equal signature can be put together. */
export function signatureOf(tensors: readonly Tensor[]): string {
  return tensors.map(({ dims }) => dims.slice(1).join("x")).join(";");
}

/** @param requests of equal signature, in the order of the model's inputs */
export function joinRows(requests: readonly (readonly Tensor[])[]): Tensor[] {
  const [first = []] = requests;
  return first.map((tensor, index) => {
    const parts = requests.map((tensors) => tensors[index] as Tensor);
    const rows = parts.reduce((sum, { dims }) => sum + (dims[0] as number), 0);
    return { ...tensor, dims: [rows, ...tensor.dims.slice(1)], data: concat(tensor, parts) };
  });
}

/** The outputs of a joined run for each request. Undefined when an output has not one row for each row of the input. */
export function splitRows(outputs: readonly Tensor[], rows: readonly number[]): Tensor[][] | undefined {
  const total = rows.reduce((sum, count) => sum + count, 0);
  if (outputs.some(({ dims }) => dims[0] !== total)) return undefined;
  let begin = 0;
  return rows.map((count) => {
    const parts = outputs.map((output) => {
      const width = output.data.length / total;
      const data = output.data.slice(begin * width, (begin + count) * width) as ElementArray;
      return { ...output, dims: [count, ...output.dims.slice(1)], data };
    });
    begin += count;
    return parts;
  });
}

function concat({ type }: Tensor, parts: readonly Tensor[]): ElementArray {
  const rules: ElementRules = ELEMENT_TYPES[type];
  const joined = rules.allocate(parts.reduce((sum, { data }) => sum + data.length, 0));
  let at = 0;
  for (const { data } of parts) {
    if (Array.isArray(joined)) for (const [index, text] of (data as string[]).entries()) joined[at + index] = text;
    else (joined as Float32Array).set(data as Float32Array, at);
    at += data.length;
  }
  return joined;
}
