import { isObject } from "../../protocol/json-body.ts";
import { toNestedLists } from "../../tensor/nested-lists.ts";
import { InputError, type Tensor } from "../../tensor/tensor.ts";

/**
 * Tensors as the JSON body that a script reads: `{"NAME": nested lists, …}`, so that one written for `/score` need not know of the
 * protocol. A script that names its parameters by an inference-schema gets a single input of any name as its single parameter.
 *
 * @throws {InputError} when the names do not fit the script's parameters
 */
export function scriptInput(inputs: readonly Tensor[], inputSchema: unknown): Record<string, unknown> {
  const parameters = parameterNames(inputSchema);
  const [input, ...others] = inputs;
  const [parameter, ...more] = parameters ?? [];
  if (input !== undefined && others.length === 0 && parameter !== undefined && more.length === 0)
    return { [parameter]: toNestedLists(input) };
  const unknown = inputs.find(({ name }) => parameters?.includes(name) === false);
  if (unknown !== undefined) {
    throw new InputError(
      "UnknownInput",
      `The service has no input ${JSON.stringify(unknown.name)}; it has ${(parameters ?? []).join(", ")}.`,
    );
  }
  return Object.fromEntries(inputs.map((tensor) => [tensor.name, toNestedLists(tensor)]));
}

/** Rows of values under the name of the script's single parameter, else under `data`, as v1's samples have it. */
export function scriptRows(rows: readonly (readonly unknown[])[], inputSchema: unknown): Record<string, unknown> {
  const [parameter = "data", ...more] = parameterNames(inputSchema) ?? [];
  if (more.length > 0) {
    throw new InputError(
      "MissingInput",
      `The service has several inputs: ${[parameter, ...more].join(", ")}. Send JSON that names them.`,
    );
  }
  return { [parameter]: rows };
}

function parameterNames(inputSchema: unknown): readonly string[] | undefined {
  return isObject(inputSchema) && isObject(inputSchema.properties) ? Object.keys(inputSchema.properties) : undefined;
}
