import type { Static, TSchema } from "typebox";
import { Value } from "typebox/value";

/** A JSON file that should have the schema; undefined if it is missing or something else. */
export function parseFile<Schema extends TSchema>(
  schema: Schema,
  text: string | undefined,
): Static<Schema> | undefined {
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return Value.Check(schema, value) ? (value as Static<Schema>) : undefined;
  } catch {
    return undefined;
  }
}
