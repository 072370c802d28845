import { isObject } from "../../protocol/json-body.ts";
import type { TensorDescription } from "../../protocol/open-inference.ts";

/** The parameters, or members, that an OpenAPI schema of the script's input or output names, as tensors. */
export function describeSchema(schema: unknown): readonly TensorDescription[] {
  if (!isObject(schema) || !isObject(schema.properties)) return [];
  return Object.entries(schema.properties).map(([name, property]) => describe(name, property));
}

/** Lists within lists are its dimensions, of any size. What no tensor can hold is announced as BYTES: texts, or JSON. */
function describe(name: string, property: unknown): TensorDescription {
  const shape: number[] = [];
  let inner = property;
  while (isObject(inner) && inner.type === "array") {
    shape.push(-1);
    inner = inner.items;
  }
  return { name, datatype: datatypeOf(inner), shape: shape.length === 0 ? [1] : shape };
}

function datatypeOf(schema: unknown): string {
  const { type, format } = isObject(schema) ? schema : {};
  switch (type) {
    case "number":
      return format === "float" ? "FP32" : "FP64";
    case "integer":
      return format === "int32" ? "INT32" : "INT64";
    case "boolean":
      return "BOOL";
    default:
      return "BYTES";
  }
}
