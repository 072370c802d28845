import { Worker } from "node:worker_threads";
import type { Cause, ScorerConfig } from "@slipway/api";
import { startTimeout, workerCrashed } from "../../scorer-errors.ts";
import {
  type OnnxAnswer,
  type OnnxJob,
  type OnnxJobs,
  type OnnxThreadData,
  type OnnxThreadMessage,
  pack,
  type RunCount,
} from "./onnx-message.ts";

export interface OnnxWorkerHandlers {
  ready(report: Extract<OnnxThreadMessage, { kind: "ready" }>): void;
  answers(answers: readonly OnnxAnswer[], counted: RunCount): void;
  /** Once: the thread has ended, or cannot do its work. `hopeless`: another one would end in the same way. */
  gone(cause: Cause, hopeless: boolean): void;
}

export interface OnnxWorker {
  send(jobs: readonly OnnxJob[]): void;
  stop(): Promise<void>;
}

const LOAD_WAIT_MS = 5_000;

/** Starts one thread that runs the models. */
export function startOnnxWorker(
  name: string,
  data: OnnxThreadData,
  config: Pick<ScorerConfig, "startTimeoutMs">,
  handlers: OnnxWorkerHandlers,
): OnnxWorker {
  const file = new URL(import.meta.url.endsWith(".ts") ? "onnx-thread.ts" : "onnx-thread.js", import.meta.url);
  const thread = new Worker(file, { workerData: data, stdout: false, stderr: false });
  let starting = true;
  let gone = false;
  const end = (cause: Cause, hopeless: boolean) => {
    if (gone) return;
    gone = true;
    clearTimeout(deadline);
    handlers.gone(cause, hopeless);
  };
  const deadline = setTimeout(
    () => end(startTimeout(config.startTimeoutMs / 1000, "loading the model", undefined, ""), true),
    config.startTimeoutMs,
  );
  thread.on("message", (message: OnnxThreadMessage) => {
    if (gone) return;
    switch (message.kind) {
      case "ready":
        clearTimeout(deadline);
        starting = false;
        handlers.ready(message);
        return;
      case "failed":
        end(message.cause, true);
        return;
      case "answers": {
        const { answers, bodies, counted } = message;
        handlers.answers(
          answers.map((answer, index) => ({ ...answer, body: bodies[index] as Uint8Array })),
          counted,
        );
        return;
      }
    }
  });
  thread.on("error", (error) => end(crash(name, error.message), false));
  thread.on("exit", (exitCode) => end(crash(name, `exit code ${exitCode}`), false));

  return {
    send(all) {
      const { pieces, buffers } = pack(all.map(({ payload }) => payload));
      const jobs = all.map(({ payload: _, ...job }) => job);
      thread.postMessage({ jobs, payloads: pieces } satisfies OnnxJobs, [...buffers]);
    },
    async stop() {
      clearTimeout(deadline);
      // Ending a thread while ONNX Runtime loads in it can abort the whole process: that is waited for, within reason.
      if (starting && !gone) {
        await new Promise<void>((resolve) => {
          thread.once("message", () => resolve());
          thread.once("exit", () => resolve());
          setTimeout(resolve, LOAD_WAIT_MS).unref();
        });
      }
      gone = true;
      await thread.terminate();
    },
  };
}

function crash(name: string, words: string): Cause {
  return workerCrashed(name, { exitCode: 1, signal: null, tail: [words], stage: "running a model" });
}
