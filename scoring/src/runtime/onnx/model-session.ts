import type { InferenceSession, Tensor as OnnxTensor } from "onnxruntime-node";
import { type ElementArray, isElementType } from "../../tensor/element-types.ts";
import type { Tensor, TensorSchema } from "../../tensor/tensor.ts";
import type { ModelSchema } from "./model-schema.ts";

/** ONNX Runtime's module: loaded late, since it is not installed everywhere. */
export type Onnx = typeof import("onnxruntime-node");

/** A model that can be run. Running blocks the thread. */
export interface ModelSession {
  readonly schema: ModelSchema;
  /** `inputs` are checked and in the order of the schema; the outputs are, too. */
  run(inputs: readonly Tensor[]): Promise<readonly Tensor[]>;
}

/**
 * ONNX Runtime makes halves into Float16Array where the platform has it, which its native part (1.30) cannot read; without it, they
 * are their 16 bits in a Uint16Array. To be called before its first tensor, in a thread that needs nothing else of Float16Array.
 */
export function hideFloat16Array(): void {
  Reflect.deleteProperty(globalThis, "Float16Array");
}

/** @throws when the file is no model, or none that can be served */
export async function openModel(onnx: Onnx, name: string, file: string, threads: number): Promise<ModelSession> {
  const session = await onnx.InferenceSession.create(file, { intraOpNumThreads: threads, interOpNumThreads: 1 });
  const schema = schemaOf(name, session);
  const wanted = schema.outputs.map((output) => output.name);
  return {
    schema,
    async run(inputs) {
      const feeds: Record<string, OnnxTensor> = {};
      for (const input of inputs) feeds[input.name] = new onnx.Tensor(input.type, input.data, input.dims) as OnnxTensor;
      const results = await session.run(feeds, wanted);
      return schema.outputs.map(({ name: output, type }) => {
        const result = results[output];
        if (result === undefined) throw new Error(`it gave no output ${output}`);
        return { name: output, type, dims: result.dims, data: result.data as ElementArray };
      });
    },
  };
}

/** Outputs that are no tensors (maps of class probabilities, say) cannot be had from this runtime and are left out. */
function schemaOf(name: string, session: InferenceSession): ModelSchema {
  const inputs = session.inputMetadata.map(tensorSchema);
  const outputs = session.outputMetadata.map(tensorSchema);
  const strange = session.inputMetadata.find((_, index) => inputs[index] === undefined);
  if (strange !== undefined) throw new Error(`its input ${strange.name} is of a type that input cannot be made into`);
  if (outputs.every((output) => output === undefined)) throw new Error("it has no output that is a tensor");
  return {
    name,
    inputs: inputs.filter((input) => input !== undefined),
    outputs: outputs.filter((output) => output !== undefined),
  };
}

function tensorSchema(value: InferenceSession.ValueMetadata): TensorSchema | undefined {
  if (!value.isTensor || !isElementType(value.type)) return undefined;
  return { name: value.name, type: value.type, shape: value.shape };
}
