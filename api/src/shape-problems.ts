import type { TSchema } from "typebox";
import { Value } from "typebox/value";

/**
 * Says what is wrong with a value that came from outside, field by field: `/services/0/port must be integer`.
 * Empty when the value has the shape of the schema.
 */
export function shapeProblems(schema: TSchema, value: unknown): readonly string[] {
  if (Value.Check(schema, value)) return [];
  return Value.Errors(schema, value)
    .filter(({ keyword }) => keyword !== "boolean")
    .map(({ instancePath, message, params }) => {
      const unknown = "additionalProperties" in params ? ` (${String(params.additionalProperties)})` : "";
      return `${instancePath === "" ? "the whole" : instancePath} ${message}${unknown}`;
    });
}
