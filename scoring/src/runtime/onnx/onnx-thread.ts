import { parentPort, workerData } from "node:worker_threads";
import type { InferenceSession, Tensor } from "onnxruntime-node";
import { modelUnreadable, onnxRuntimeMissing } from "../../scorer-errors.ts";
import { InputError, readInputs } from "./model-input.ts";
import { nestedLists } from "./model-output.ts";
import { isElementType, type ModelSchema, type TensorSchema } from "./model-schema.ts";
import type { OnnxJob, OnnxThreadData, OnnxThreadMessage } from "./onnx-message.ts";

/** One thread with its own sessions: ONNX Runtime blocks the thread that it computes in. */

interface LoadedModel {
  readonly session: InferenceSession;
  readonly schema: ModelSchema;
}

type Onnx = typeof import("onnxruntime-node");

const port = parentPort;
if (port === null) throw new Error("This file is the program of a worker thread.");
const { models, threads } = workerData as OnnxThreadData;

const tell = (message: OnnxThreadMessage): void => port.postMessage(message);

async function start(): Promise<void> {
  const began = performance.now();
  let onnx: Onnx;
  try {
    onnx = await import("onnxruntime-node");
  } catch (error) {
    tell({ kind: "failed", cause: onnxRuntimeMissing(text(error)) });
    return;
  }
  const loaded = new Map<string, LoadedModel>();
  for (const { name, file } of models) {
    try {
      const session = await onnx.InferenceSession.create(file, { intraOpNumThreads: threads, interOpNumThreads: 1 });
      loaded.set(name, { session, schema: schemaOf(name, session) });
    } catch (error) {
      tell({ kind: "failed", cause: modelUnreadable(name, text(error)) });
      return;
    }
  }
  tell({ kind: "ready", models: [...loaded.values()].map(({ schema }) => schema), loadMs: performance.now() - began });
  port?.on("message", (job: OnnxJob) => {
    void answer(onnx, loaded, job);
  });
}

async function answer(onnx: Onnx, loaded: ReadonlyMap<string, LoadedModel>, job: OnnxJob): Promise<void> {
  const reply = (status: number, value: unknown) => {
    const body = new TextEncoder().encode(JSON.stringify(value));
    port?.postMessage({ kind: "answer", id: job.id, status, body } satisfies OnnxThreadMessage, [body.buffer]);
  };
  const model = loaded.get(job.model);
  if (model === undefined) {
    const names = [...loaded.keys()].join(", ");
    reply(404, {
      error: { code: "ModelNotFound", message: `There is no model ${job.model} here; there are: ${names}.` },
    });
    return;
  }
  try {
    reply(200, await run(onnx, model, job.payload));
  } catch (error) {
    if (error instanceof InputError) reply(400, { error: { code: error.code, message: error.message } });
    else reply(424, { error: { code: "RunFailed", message: `The model ${job.model} failed: ${text(error)}` } });
  }
}

async function run(onnx: Onnx, { session, schema }: LoadedModel, payload: Uint8Array): Promise<unknown> {
  const feeds: Record<string, Tensor> = {};
  for (const { schema: input, data, dims } of readInputs(schema, payload)) {
    feeds[input.name] = new onnx.Tensor(input.type, data, dims) as Tensor;
  }
  const results = await session.run(
    feeds,
    schema.outputs.map(({ name }) => name),
  );
  return Object.fromEntries(
    schema.outputs.map(({ name, type }) => {
      const result = results[name];
      return [name, result === undefined ? null : nestedLists(result.data as ArrayLike<number>, result.dims, type)];
    }),
  );
}

/** Outputs that are no tensors (maps of class probabilities, say) cannot be had from this runtime and are left out. */
function schemaOf(name: string, session: InferenceSession): ModelSchema {
  const inputs = session.inputMetadata.map(tensorSchema);
  const outputs = session.outputMetadata.map(tensorSchema);
  const strange = session.inputMetadata.find((_, index) => inputs[index] === undefined);
  if (strange !== undefined)
    throw new Error(`its input ${strange.name} is of a type that JSON input cannot be made into`);
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

function text(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).trim();
}

await start();
