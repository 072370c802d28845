import type { ElementType } from "./model-schema.ts";

/** A tensor as nested lists. */
export function nestedLists(
  data: ArrayLike<number | bigint | string | boolean>,
  dims: readonly number[],
  type: ElementType,
): unknown {
  let at = 0;
  const take = (depth: number): unknown => {
    const size = dims[depth];
    if (size === undefined) {
      const value = data[at];
      at += 1;
      return jsonValue(value, type);
    }
    return Array.from({ length: size }, () => take(depth + 1));
  };
  return take(0);
}

function jsonValue(value: number | bigint | string | boolean | undefined, type: ElementType): unknown {
  if (type === "bool") return Boolean(value);
  // Beyond 2^53 a JSON number would be read with wrong digits.
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString();
  return value;
}
