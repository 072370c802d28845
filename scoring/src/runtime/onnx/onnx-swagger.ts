import type { ScorerConfig } from "@slipway/api";
import { openApi } from "../../swagger.ts";
import { ELEMENT_TYPES, isFixed, type ModelSchema, shapeText, type TensorSchema } from "./model-schema.ts";

export function onnxSwagger(config: ScorerConfig, model: ModelSchema | undefined): unknown {
  return openApi(config, { input: objectOf(model?.inputs ?? []), output: objectOf(model?.outputs ?? []) });
}

function objectOf(tensors: readonly TensorSchema[]): unknown {
  return {
    type: "object",
    required: tensors.map(({ name }) => name),
    properties: Object.fromEntries(tensors.map((tensor) => [tensor.name, listSchema(tensor)])),
    example: Object.fromEntries(tensors.map((tensor) => [tensor.name, example(tensor, 0)])),
  };
}

function listSchema({ type, shape }: TensorSchema): unknown {
  const element: unknown = { type: ELEMENT_TYPES[type].json };
  const lists = shape.reduceRight<unknown>(
    (items, size) => ({ type: "array", items, ...(isFixed(size) && { minItems: size, maxItems: size }) }),
    element,
  );
  return { ...Object(lists), description: `${type} ${shapeText(shape)}` };
}

const EXAMPLE_LENGTH = 16;

function example(tensor: TensorSchema, depth: number): unknown {
  const size = tensor.shape[depth];
  if (size === undefined) return EXAMPLES[ELEMENT_TYPES[tensor.type].json];
  const length = isFixed(size) ? Math.min(size, EXAMPLE_LENGTH) : 1;
  return Array.from({ length }, () => example(tensor, depth + 1));
}

const EXAMPLES = { number: 0, integer: 0, boolean: false, string: "" } as const;
