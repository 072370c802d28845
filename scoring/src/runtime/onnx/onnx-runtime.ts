import type { Cause, ScorerConfig } from "@slipway/api";
import { FrameKind } from "@slipway/api/frames";
import { IdMap } from "@slipway/api/id-map";
import type { ScorerSettings } from "../../config.ts";
import { answerCause } from "../../exchange.ts";
import { encodeResponse } from "../../frame-message.ts";
import { describeTensor } from "../../protocol/open-inference.ts";
import { type RestartDelay, restartDelay } from "../../restart-delay.ts";
import { onnxTimeout, outOfMemory, queueFull, stillStarting, stopping } from "../../scorer-errors.ts";
import type { ScorerLog } from "../../scorer-log.ts";
import { memoryGuard } from "../memory-guard.ts";
import { residentBytes } from "../process-memory.ts";
import { MAX_WAITING, type Runtime, type RuntimeStatus } from "../runtime.ts";
import { batchPolicy } from "./batch-policy.ts";
import { type EdgeModels, openEdgeModels } from "./edge-models.ts";
import type { LoadedModel, OnnxAnswer, OnnxThreadMessage, RunCount } from "./onnx-message.ts";
import { costsOf, jobOf, type Pending, withModelOfQuery } from "./onnx-request.ts";
import { onnxSwagger } from "./onnx-swagger.ts";
import { type OnnxWorker, startOnnxWorker } from "./onnx-worker.ts";

interface Slot {
  readonly name: string;
  readonly delay: RestartDelay;
  phase: "starting" | "ready" | "failed";
  worker: OnnxWorker | undefined;
  /** handed over, and neither answered nor given up */
  readonly current: IdMap<Pending>;
  /** until all answers are there, also of those that were given up */
  busy: boolean;
  readyAt: number | undefined;
  restarts: number;
  cause: Cause | undefined;
  timer: NodeJS.Timeout | undefined;
}

/**
 * Runs ONNX models in `config.workers` threads. Each gets the requests that go together, and the next ones after its answers. Small
 * requests to small models take a shorter way.
 */
export function onnxRuntime(
  config: ScorerSettings,
  runtime: Extract<ScorerConfig["runtime"], { kind: "onnx" }>,
  log: ScorerLog,
  onFatal: (cause: Cause) => void,
): Runtime {
  // ONNX Runtime reports to its makers unless this is in the environment when the first thread loads it.
  process.env.ORT_DISABLE_TELEMETRY ??= "1";
  const slots = Array.from({ length: config.workers }, (_, index) => newSlot(`thread-${index + 1}`));
  const waiting = new IdMap<Pending>();
  const policy = batchPolicy();
  const version = String(config.revision);
  const batches = { count: 0, sum: 0 };
  let lastId = 0;
  let isStopping = false;
  let models: readonly LoadedModel[] = [];
  let timings: RuntimeStatus["timings"] = {};
  let soon: NodeJS.Immediate | undefined;
  let later: NodeJS.Timeout | undefined;
  let edgeOpened: Promise<EdgeModels | undefined> | undefined;
  let edge: EdgeModels | undefined;
  const atEdge = new IdMap<Pending>();

  // The models live in this process: memory that they took comes back only with its end.
  const guard = memoryGuard(config, log, () => [
    {
      bytes: () => residentBytes(process.pid),
      kill: (used) => fail(outOfMemory("The scorer", config.memoryLimitBytes, used)),
    },
  ]);
  const fail = (cause: Cause) => {
    log.write("scorer", cause.message);
    log.flush();
    onFatal(cause);
  };

  const startWorker = (slot: Slot) => {
    slot.phase = "starting";
    slot.readyAt = undefined;
    slot.worker = startOnnxWorker(slot.name, { models: runtime.models, version, threads: config.threads }, config, {
      ready: (report) => onReady(slot, report),
      answers: (answers, counted) => onAnswers(slot, answers, counted),
      gone: (cause, hopeless) => onGone(slot, cause, hopeless),
    });
  };

  const onReady = async (slot: Slot, report: Extract<OnnxThreadMessage, { kind: "ready" }>) => {
    edgeOpened ??= openEdgeModels(runtime.models, report.models, version, log, (answers, counted) =>
      answer(atEdge, answers, counted),
    );
    edge = await edgeOpened;
    // It may have gone meanwhile.
    if (slot.worker === undefined || isStopping) return;
    slot.phase = "ready";
    slot.readyAt = performance.now();
    if (models.length === 0) {
      models = report.models;
      timings = { load: report.loadMs, warmUp: report.warmUpMs };
      for (const { schema, costs } of models) log.write("scorer", describeCosts(schema.name, costs));
    }
    log.write("scorer", `${slot.name} is ready (load ${Math.round(report.loadMs)} ms).`);
    dispatch();
  };

  const onAnswers = (slot: Slot, answers: readonly OnnxAnswer[], counted: RunCount) => {
    clearTimeout(slot.timer);
    slot.busy = false;
    answer(slot.current, answers, counted);
    dispatch();
  };

  const answer = (from: IdMap<Pending>, answers: readonly OnnxAnswer[], counted: RunCount) => {
    batches.count += counted.runs;
    batches.sum += counted.requests;
    for (const { id, status, headers, body } of answers) {
      from.get(id)?.sink(FrameKind.RESPONSE, encodeAnswer(status, headers, body));
      from.delete(id);
    }
  };

  const encodeAnswer = (status: number, headers: OnnxAnswer["headers"], body: Uint8Array) => {
    const failed = status === 424;
    const marked = { ...headers, "x-ms-run-function-failed": failed ? "true" : "false" };
    return encodeResponse(failed ? failureStatus : status, marked, body);
  };

  const failureStatus = config.legacyStatusCodes ? 500 : 424;

  /** Answers what the slot has in work with a failure. */
  const failCurrent = (slot: Slot, cause: Cause) => {
    for (const { sink, request } of slot.current.values())
      answerCause(sink, failureStatus, cause, { requestId: request.head.i, runFailed: true });
    slot.current.clear();
  };

  const onGone = (slot: Slot, cause: Cause, hopeless: boolean) => {
    clearTimeout(slot.timer);
    slot.worker = undefined;
    slot.busy = false;
    slot.cause = cause;
    failCurrent(slot, cause);
    if (isStopping) return;
    log.write("scorer", `${cause.message}${cause.nextAction === undefined ? "" : ` ${cause.nextAction}`}`);
    slot.phase = hopeless ? "failed" : "starting";
    if (hopeless) return;
    slot.restarts += 1;
    slot.timer = setTimeout(startWorker, slot.delay.next(performance.now(), slot.readyAt), slot);
  };

  const dispatch = () => {
    soon = undefined;
    clearTimeout(later);
    for (const slot of slots) {
      if (slot.phase !== "ready" || slot.busy || waiting.size === 0) continue;
      const free = slots.filter(({ phase, busy }) => phase === "ready" && !busy).length;
      const oldest = waiting.oldest();
      if (oldest === undefined) return;
      const costs = costsOf(models, oldest.call);
      const together = waitingFor(oldest.call.model, policy.limit(costs) * free);
      const waitMs = policy.wait(costs, together.length, oldest.arrivedAt, performance.now());
      if (waitMs > 0) {
        later = setTimeout(dispatch, waitMs);
        return;
      }
      hand(slot, together.slice(0, Math.ceil(together.length / free)));
    }
  };

  /** The oldest requests for a model, at most so many. */
  const waitingFor = (model: string | undefined, atMost: number): readonly Pending[] => {
    const found: Pending[] = [];
    for (const pending of waiting.values()) {
      if (pending.call.model === model) found.push(pending);
      if (found.length === atMost) break;
    }
    return found;
  };

  const hand = (slot: Slot, taken: readonly Pending[]) => {
    for (const pending of taken) {
      waiting.delete(pending.id);
      slot.current.set(pending.id, pending);
    }
    slot.busy = true;
    if (config.scoringTimeoutMs > 0) slot.timer = setTimeout(giveUp, config.scoringTimeoutMs, slot);
    slot.worker?.send(taken.map(jobOf));
  };

  /** Computing cannot be interrupted without risk for the whole process: the thread is free again when it is done. */
  const giveUp = (slot: Slot) => {
    slot.cause = onnxTimeout(config.scoringTimeoutMs / 1000);
    failCurrent(slot, slot.cause);
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
      for (const slot of slots) startWorker(slot);
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
      timings,
      batches,
    }),

    models: () =>
      models.map(({ schema }) => ({
        name: schema.name,
        versions: [version],
        platform: "onnxruntime_onnx",
        inputs: schema.inputs.map(describeTensor),
        outputs: schema.outputs.map(describeTensor),
      })),

    submit(request, given, sink) {
      const call = withModelOfQuery(request, given);
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
      const arrivedAt = performance.now();
      const pending: Pending = { id, request, call, sink, arrivedAt };
      if (edge?.takes(request.payload) === true && atEdge.size < MAX_WAITING) {
        atEdge.set(id, pending);
        edge.add(jobOf(pending));
        return () => {
          atEdge.delete(id);
          edge?.drop(id);
        };
      }
      policy.arrived(arrivedAt);
      waiting.set(id, pending);
      // What came with one read goes together.
      soon ??= setImmediate(dispatch);
      return () => {
        waiting.delete(id);
      };
    },

    swagger: () =>
      onnxSwagger(
        config,
        models.map(({ schema }) => schema),
      ),

    async stop() {
      isStopping = true;
      guard.stop();
      clearImmediate(soon);
      clearTimeout(later);
      for (const pending of [...waiting.values(), ...atEdge.values()]) answerCause(pending.sink, 503, stopping());
      waiting.clear();
      atEdge.clear();
      for (const slot of slots) clearTimeout(slot.timer);
      await Promise.all(slots.map((slot) => slot.worker?.stop()));
    },
  };
}

function describeCosts(name: string, { singleMs, maxRows }: LoadedModel["costs"]): string {
  if (singleMs === undefined) return `${name} does not run with made-up input; its requests run one by one.`;
  const together = maxRows > 1 ? `up to ${maxRows} rows of requests that wait run together` : "requests run one by one";
  return `${name} takes ${singleMs.toFixed(3)} ms for one row; ${together}.`;
}

function newSlot(name: string): Slot {
  return {
    name,
    delay: restartDelay(),
    phase: "starting",
    worker: undefined,
    current: new IdMap(),
    busy: false,
    readyAt: undefined,
    restarts: 0,
    cause: undefined,
    timer: undefined,
  };
}
