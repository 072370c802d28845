/**
 * What a value must be, and what is wrong with one that is not, field by field. For the few values that a scorer checks at its start:
 * a schema library takes longer to load than everything else of it.
 */
export type Shape = (value: unknown, place: string) => readonly string[];

export const text: Shape = (value, place) => (typeof value === "string" ? [] : [`${place} must be a text`]);

export const truth: Shape = (value, place) => (typeof value === "boolean" ? [] : [`${place} must be true or false`]);

export function wholeNumber(least = Number.MIN_SAFE_INTEGER): Shape {
  const words = least === Number.MIN_SAFE_INTEGER ? "a whole number" : `a whole number from ${least}`;
  return (value, place) => (Number.isInteger(value) && Number(value) >= least ? [] : [`${place} must be ${words}`]);
}

export function oneOf(...values: readonly string[]): Shape {
  return (value, place) => (values.includes(value as string) ? [] : [`${place} must be one of ${values.join(", ")}`]);
}

export function optional(shape: Shape): Shape {
  return (value, place) => (value === undefined ? [] : shape(value, place));
}

/** Not empty. */
export function listOf(shape: Shape): Shape {
  return (value, place) =>
    Array.isArray(value) && value.length > 0
      ? value.flatMap((one, index) => shape(one, `${place}/${index}`))
      : [`${place} must be a list with at least one entry`];
}

export function recordOf(shape: Shape): Shape {
  return (value, place) =>
    isObject(value)
      ? Object.entries(value).flatMap(([name, one]) => shape(one, `${place}/${name}`))
      : [`${place} must be an object`];
}

/** Others than these fields are none of its business. */
export function objectOf(fields: Readonly<Record<string, Shape>>): Shape {
  return (value, place) =>
    isObject(value)
      ? Object.entries(fields).flatMap(([name, shape]) => shape(value[name], `${place}/${name}`))
      : [`${place === "" ? "the whole" : place} must be an object`];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
