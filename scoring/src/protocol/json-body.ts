import { InputError } from "../tensor/tensor.ts";

/** @throws {InputError} */
export function parseJson(payload: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload));
  } catch (error) {
    throw new InputError(
      "BodyNotJson",
      `The request body is not JSON: ${error instanceof Error ? error.message : error}.`,
    );
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
