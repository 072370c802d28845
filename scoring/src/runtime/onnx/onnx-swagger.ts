import type { ScorerSettings } from "../../config.ts";
import { openApi } from "../../swagger.ts";
import { ELEMENT_TYPES } from "../../tensor/element-types.ts";
import { elementCount, isFixed, shapeText, type TensorSchema } from "../../tensor/tensor.ts";
import type { ModelSchema } from "./model-schema.ts";

/** Of several models the first is described; `model` chooses among them. */
export function onnxSwagger(config: ScorerSettings, models: readonly ModelSchema[]): unknown {
  const [first, ...others] = models;
  const choice = others.length === 0 ? undefined : models.map(({ name }) => name);
  return openApi(config, { input: objectOf(first?.inputs ?? [], choice), output: objectOf(first?.outputs ?? []) });
}

function objectOf(tensors: readonly TensorSchema[], models?: readonly string[]): unknown {
  const names = tensors.map(({ name }) => name);
  return {
    type: "object",
    required: models === undefined ? names : ["model", ...names],
    properties: {
      ...(models !== undefined && { model: { type: "string", enum: models } }),
      ...Object.fromEntries(tensors.map((tensor) => [tensor.name, listSchema(tensor)])),
    },
    ...(tensors.every(isSmall) && {
      example: {
        ...(models !== undefined && { model: models[0] }),
        ...Object.fromEntries(tensors.map((tensor) => [tensor.name, example(tensor, 0)])),
      },
    }),
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

/** An example is one that the model takes, or there is none: it is tried before a service gets requests. Images would fill pages. */
const EXAMPLE_ELEMENTS = 1_000;

const exampleSize = (size: number | string) => (isFixed(size) ? size : 1);

function isSmall({ shape }: TensorSchema): boolean {
  return elementCount(shape.map(exampleSize)) <= EXAMPLE_ELEMENTS;
}

function example(tensor: TensorSchema, depth: number): unknown {
  const size = tensor.shape[depth];
  if (size === undefined) return EXAMPLES[ELEMENT_TYPES[tensor.type].json];
  return Array.from({ length: exampleSize(size) }, () => example(tensor, depth + 1));
}

const EXAMPLES = { number: 0, integer: 0, boolean: false, string: "" } as const;
