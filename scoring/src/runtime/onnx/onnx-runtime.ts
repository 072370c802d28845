import { Worker } from "node:worker_threads";
import { type Cause, FrameKind, type ScorerConfig } from "@slipway/api";
import { type AnswerSink, answerCause, type ScoringRequest } from "../../exchange.ts";
import { encodeResponse } from "../../frame-message.ts";
import { type RestartDelay, restartDelay } from "../../restart-delay.ts";
import type { RotatingLog } from "../../rotating-log.ts";
import {
  onnxTimeout,
  outOfMemory,
  queueFull,
  startTimeout,
  stillStarting,
  stopping,
  workerCrashed,
} from "../../scorer-errors.ts";
import { memoryGuard } from "../memory-guard.ts";
import { MAX_WAITING, type Runtime, type RuntimeStatus } from "../runtime.ts";
import type { ModelSchema } from "./model-schema.ts";
import type { OnnxThreadData, OnnxThreadMessage } from "./onnx-message.ts";
import { onnxSwagger } from "./onnx-swagger.ts";

interface Pending {
  readonly id: number;
  readonly request: ScoringRequest;
  readonly sink: AnswerSink;
}

interface Slot {
  readonly name: string;
  readonly delay: RestartDelay;
  phase: "starting" | "ready" | "failed";
  thread: Worker | undefined;
  current: Pending | undefined;
  readyAt: number | undefined;
  restarts: number;
  cause: Cause | undefined;
  timer: NodeJS.Timeout | undefined;
}

const LOAD_WAIT_MS = 5_000;

/** Runs ONNX models in `config.workers` threads, one request at a time in each. */
export function onnxRuntime(
  config: ScorerConfig,
  runtime: Extract<ScorerConfig["runtime"], { kind: "onnx" }>,
  log: RotatingLog,
  onFatal: (cause: Cause) => void,
): Runtime {
  const slots = Array.from({ length: config.workers }, (_, index) => newSlot(`thread-${index + 1}`));
  const waiting = new Map<number, Pending>();
  let lastId = 0;
  let isStopping = false;
  let models: readonly ModelSchema[] = [];
  let loadMs: number | undefined;

  // The models live in this process: memory that they took comes back only with its end.
  const guard = memoryGuard(config, log, () => [
    { pid: process.pid, kill: (used) => fail(outOfMemory("The scorer", config.memoryLimitBytes, used)) },
  ]);
  const fail = (cause: Cause) => {
    log.write("scorer", cause.message);
    log.flush();
    onFatal(cause);
  };

  const startThread = (slot: Slot) => {
    const file = new URL(import.meta.url.endsWith(".ts") ? "onnx-thread.ts" : "onnx-thread.js", import.meta.url);
    const workerData: OnnxThreadData = { models: runtime.models, threads: config.threads };
    const thread = new Worker(file, { workerData, stdout: false, stderr: false });
    slot.thread = thread;
    slot.phase = "starting";
    slot.readyAt = undefined;
    const seconds = config.startTimeoutMs / 1000;
    slot.timer = setTimeout(
      () => end(startTimeout(seconds, "loading the model", undefined, ""), true),
      config.startTimeoutMs,
    );
    let gone = false;
    const end = (cause: Cause, hopeless: boolean) => {
      if (gone) return;
      gone = true;
      clearTimeout(slot.timer);
      onGone(slot, cause, hopeless);
    };
    thread.on("message", (message: OnnxThreadMessage) => {
      if (gone) return;
      switch (message.kind) {
        case "ready":
          clearTimeout(slot.timer);
          slot.phase = "ready";
          slot.readyAt = performance.now();
          models = message.models;
          loadMs = message.loadMs;
          log.write("scorer", `${slot.name} is ready (load ${Math.round(message.loadMs)} ms).`);
          dispatch();
          return;
        case "failed":
          end(message.cause, true);
          return;
        case "answer":
          onAnswer(slot, message);
          return;
      }
    });
    thread.on("error", (error) => end(crash(slot.name, `${error.message}`), false));
    thread.on("exit", (exitCode) => end(crash(slot.name, `exit code ${exitCode}`), false));
  };

  const onAnswer = (slot: Slot, answer: Extract<OnnxThreadMessage, { kind: "answer" }>) => {
    const { current } = slot;
    slot.current = undefined;
    clearTimeout(slot.timer);
    if (current?.id === answer.id) {
      const failed = answer.status === 424;
      const headers = {
        "content-type": "application/json",
        "x-ms-run-function-failed": failed ? "true" : "false",
      };
      const status = failed && config.legacyStatusCodes ? 500 : answer.status;
      current.sink(FrameKind.RESPONSE, encodeResponse(status, headers, answer.body));
    }
    dispatch();
  };

  const onGone = (slot: Slot, cause: Cause, hopeless: boolean) => {
    const { current } = slot;
    slot.thread = undefined;
    slot.current = undefined;
    slot.cause = cause;
    if (current !== undefined) {
      const status = config.legacyStatusCodes ? 500 : 424;
      answerCause(current.sink, status, cause, { requestId: current.request.head.i, runFailed: true });
    }
    if (isStopping) return;
    log.write("scorer", `${cause.message}${cause.nextAction === undefined ? "" : ` ${cause.nextAction}`}`);
    slot.phase = hopeless ? "failed" : "starting";
    if (hopeless) return;
    slot.restarts += 1;
    slot.timer = setTimeout(startThread, slot.delay.next(performance.now(), slot.readyAt), slot);
  };

  const dispatch = () => {
    for (const slot of slots) {
      if (slot.phase !== "ready" || slot.current !== undefined || waiting.size === 0) continue;
      const [id, pending] = waiting.entries().next().value as [number, Pending];
      waiting.delete(id);
      slot.current = pending;
      if (config.scoringTimeoutMs > 0) {
        slot.timer = setTimeout(() => {
          giveUp(slot, pending);
        }, config.scoringTimeoutMs);
      }
      const { head, payload } = pending.request;
      const model = new URLSearchParams(head.q ?? "").get("model") ?? runtime.models[0]?.name ?? "";
      // Copied on its way: the payload is a piece of a larger buffer, which cannot be handed over.
      slot.thread?.postMessage({ id, model, payload });
    }
  };

  /** Computing cannot be interrupted without risk for the whole process: the thread is free again when it is done. */
  const giveUp = (slot: Slot, pending: Pending) => {
    const cause = onnxTimeout(config.scoringTimeoutMs / 1000);
    slot.cause = cause;
    slot.current = { ...pending, sink: () => {} };
    const status = config.legacyStatusCodes ? 500 : 424;
    answerCause(pending.sink, status, cause, { requestId: pending.request.head.i, runFailed: true });
  };

  const currentPhase = (): Pick<RuntimeStatus, "phase" | "cause"> => {
    const cause = slots.find((slot) => slot.cause !== undefined)?.cause;
    const phase = slots.some((slot) => slot.phase === "ready")
      ? "ready"
      : slots.every((slot) => slot.phase === "failed")
        ? "failed"
        : "starting";
    return { phase, ...(cause !== undefined && { cause }) };
  };

  return {
    start() {
      for (const slot of slots) startThread(slot);
    },

    status: () => ({
      ...currentPhase(),
      workers: slots.map(({ phase, restarts }, index) => ({
        pid: process.pid,
        phase,
        restarts,
        // One process for all threads: counted once.
        memoryBytes: index === 0 ? process.memoryUsage.rss() : 0,
      })),
      timings: loadMs === undefined ? {} : { load: loadMs },
    }),

    submit(request, sink) {
      const { phase, cause } = currentPhase();
      const refusal = isStopping
        ? stopping()
        : phase !== "ready"
          ? (cause ?? stillStarting())
          : waiting.size >= MAX_WAITING
            ? queueFull(waiting.size)
            : undefined;
      if (refusal !== undefined) {
        answerCause(sink, 503, refusal, { requestId: request.head.i });
        return () => {};
      }
      lastId += 1;
      const id = lastId;
      waiting.set(id, { id, request, sink });
      dispatch();
      return () => {
        waiting.delete(id);
      };
    },

    swagger: () => onnxSwagger(config, models[0]),

    async stop() {
      isStopping = true;
      guard.stop();
      for (const pending of waiting.values()) answerCause(pending.sink, 503, stopping());
      waiting.clear();
      for (const slot of slots) clearTimeout(slot.timer);
      await Promise.all(slots.map(endThread));
    },
  };
}

/** Ending a thread while ONNX Runtime loads in it can abort the whole process: that is waited for, within reason. */
async function endThread({ thread, phase }: Slot): Promise<void> {
  if (thread === undefined) return;
  if (phase === "starting") {
    await new Promise<void>((resolve) => {
      thread.once("message", () => resolve());
      thread.once("exit", () => resolve());
      setTimeout(resolve, LOAD_WAIT_MS).unref();
    });
  }
  await thread.terminate();
}

function newSlot(name: string): Slot {
  return {
    name,
    delay: restartDelay(),
    phase: "starting",
    thread: undefined,
    current: undefined,
    readyAt: undefined,
    restarts: 0,
    cause: undefined,
    timer: undefined,
  };
}

function crash(name: string, words: string): Cause {
  return workerCrashed(name, { exitCode: 1, signal: null, tail: [words], stage: "running a model" });
}
