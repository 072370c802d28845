import { parentPort, workerData } from "node:worker_threads";
import { modelUnreadable, onnxRuntimeMissing } from "../../scorer-errors.ts";
import { answerJobs, type RunnableModel } from "./answer-jobs.ts";
import { hideFloat16Array, type Onnx, openModel } from "./model-session.ts";
import {
  type LoadedModel,
  type OnnxJob,
  type OnnxJobs,
  type OnnxThreadData,
  type OnnxThreadMessage,
  pack,
} from "./onnx-message.ts";
import { warmUp } from "./warm-up.ts";

/** One thread with its own sessions: ONNX Runtime blocks the thread that it computes in. */

const port = parentPort;
if (port === null) throw new Error("This file is the program of a worker thread.");
const { models, version, threads } = workerData as OnnxThreadData;

const tell = (message: OnnxThreadMessage, transfer: readonly ArrayBuffer[] = []): void =>
  port.postMessage(message, [...transfer]);

async function start(): Promise<void> {
  const began = performance.now();
  let onnx: Onnx;
  try {
    hideFloat16Array();
    onnx = await import("onnxruntime-node");
  } catch (error) {
    tell({ kind: "failed", cause: onnxRuntimeMissing(text(error)) });
    return;
  }
  const sessions = [];
  for (const { name, file } of models) {
    try {
      sessions.push(await openModel(onnx, name, file, threads));
    } catch (error) {
      tell({ kind: "failed", cause: modelUnreadable(name, text(error)) });
      return;
    }
  }
  const loadedAt = performance.now();
  const runnable = new Map<string, RunnableModel>();
  const loaded: LoadedModel[] = [];
  for (const session of sessions) {
    const costs = await warmUp(session);
    loaded.push({ schema: session.schema, costs });
    runnable.set(session.schema.name, { session, maxRows: costs.maxRows });
  }
  tell({ kind: "ready", models: loaded, loadMs: loadedAt - began, warmUpMs: performance.now() - loadedAt });
  port?.on("message", ({ jobs, payloads }: OnnxJobs) => {
    void answer(
      runnable,
      jobs.map((job, index) => ({ ...job, payload: payloads[index] as Uint8Array })),
    );
  });
}

async function answer(runnable: ReadonlyMap<string, RunnableModel>, jobs: readonly OnnxJob[]): Promise<void> {
  const { answers, counted } = await answerJobs(runnable, version, jobs);
  const { pieces, buffers } = pack(answers.map(({ body }) => body));
  const heads = answers.map(({ id, status, headers }) => ({ id, status, headers }));
  tell({ kind: "answers", answers: heads, bodies: pieces, counted }, buffers);
}

function text(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).trim();
}

await start();
