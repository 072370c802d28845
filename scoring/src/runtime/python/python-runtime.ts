import type { Cause, ScorerConfig } from "@slipway/api";
import { FrameKind } from "@slipway/api/frames";
import { IdMap } from "@slipway/api/id-map";
import type { ScorerSettings } from "../../config.ts";
import { answerCause } from "../../exchange.ts";
import { isFinal } from "../../frame-message.ts";
import { outOfMemory, queueFull, scoringTimeout, stillStarting, stopping } from "../../scorer-errors.ts";
import type { ScorerLog } from "../../scorer-log.ts";
import { InputError } from "../../tensor/tensor.ts";
import { memoryGuard } from "../memory-guard.ts";
import { MAX_WAITING, type Runtime, type RuntimeStatus } from "../runtime.ts";
import { pythonSwagger } from "./python-swagger.ts";
import type { ReadyReport } from "./python-worker.ts";
import { describeSchema } from "./script-schema.ts";
import { translateCall } from "./translated-call.ts";
import { failPending, leastBusy, newSlot, noteAnswer, type Pending, type Slot, tellTaken } from "./worker-slot.ts";
import { workerStarter } from "./worker-starter.ts";

/** A worker that dies this often before it was ever ready will not become ready. */
const START_ATTEMPTS = 3;
/** The worker stops run() itself at the scoring timeout. One that hangs outside Python's reach is ended this much later. */
const TIMEOUT_GRACE_MS = 5_000;
const HANG_CHECK_MS = 1_000;

/** Runs the user's script in `config.workers` Python processes and spreads the requests over them. */
export function pythonRuntime(
  config: ScorerSettings,
  runtime: Extract<ScorerConfig["runtime"], { kind: "python" }>,
  log: ScorerLog,
): Runtime {
  const slots: readonly Slot[] = Array.from({ length: config.workers }, (_, index) => newSlot(`worker-${index + 1}`));
  const waiting = new IdMap<Pending>();
  let lastId = 0;
  let everReady = false;
  let isStopping = false;
  let report: ReadyReport | undefined;
  let hangCheck: NodeJS.Timeout | undefined;

  const guard = memoryGuard(config, log, () =>
    slots.flatMap(({ name, worker }) =>
      worker === undefined
        ? []
        : [
            {
              bytes: worker.memoryBytes,
              kill: (used) => worker.kill(outOfMemory(name, config.memoryLimitBytes, used)),
            },
          ],
    ),
  );
  const starter = workerStarter(
    { config, runtime, log, admit: guard.admit, takeKernelKill: guard.takeKernelKill },
    runtime,
    config.workers,
  );

  const startWorker = (slot: Slot) => {
    slot.phase = "starting";
    slot.readyAt = undefined;
    slot.worker = starter.start(slot.name, {
      ready(told) {
        slot.phase = "ready";
        slot.readyAt = performance.now();
        slot.crashes = 0;
        slot.requestsAtOnce = told.requestsAtOnce;
        everReady = true;
        report = told;
        log.write("scorer", `${slot.name} is ready (${describeTimings(told.timings)}).`);
        dispatch();
      },
      answer: (id, kind, body) => onAnswer(slot, id, kind, body),
      gone: (cause, startFailed) => onGone(slot, cause, startFailed),
    });
  };

  const onAnswer = (slot: Slot, id: number, kind: FrameKind, body: Uint8Array) => {
    noteAnswer(slot);
    const pending = slot.outstanding.get(id);
    if (pending === undefined) return;
    if (isFinal(kind)) slot.outstanding.delete(id);
    else pending.streaming = true;
    if (kind === FrameKind.DATA) pending.sink(kind, body, () => tellTaken(slot, pending, body.length));
    else pending.sink(kind, body);
    dispatch();
  };

  const onGone = (slot: Slot, cause: Cause, startFailed: boolean) => {
    const wasReady = slot.phase === "ready";
    slot.worker = undefined;
    slot.phase = "stopped";
    for (const pending of slot.outstanding.values()) {
      log.write("scorer", `[${pending.request.head.i}] failed: ${cause.message}`);
      failPending(pending, cause, config.legacyStatusCodes);
    }
    slot.outstanding.clear();
    if (isStopping) return;
    slot.cause = cause;
    slot.crashes += wasReady ? 0 : 1;
    log.write("scorer", `${cause.message}${cause.nextAction === undefined ? "" : ` ${cause.nextAction}`}`);
    const hopeless = startFailed || cause.code === "OutOfMemory" || slot.crashes >= START_ATTEMPTS;
    slot.phase = wasReady || !hopeless ? "starting" : "failed";
    if (slot.phase === "failed" && !everReady) {
      rejectWaitingIfFailed();
      return;
    }
    const waitMs = slot.delay.next(performance.now(), slot.readyAt);
    slot.restarts += 1;
    slot.timer = setTimeout(startWorker, waitMs, slot);
    rejectWaitingIfFailed();
  };

  const rejectWaitingIfFailed = () => {
    const { phase, cause } = currentPhase();
    if (phase !== "failed" || cause === undefined) return;
    for (const pending of waiting.values())
      answerCause(pending.sink, 503, cause, { requestId: pending.request.head.i });
    waiting.clear();
  };

  const dispatch = () => {
    for (let pending = waiting.oldest(); pending !== undefined; pending = waiting.oldest()) {
      const slot = leastBusy(slots);
      if (slot === undefined) return;
      waiting.delete(pending.id);
      if (slot.outstanding.size === 0) slot.movedAt = performance.now();
      slot.outstanding.set(pending.id, pending);
      slot.worker?.send(pending.id, FrameKind.REQUEST, pending.request.body);
    }
  };

  const currentPhase = (): Pick<RuntimeStatus, "phase" | "cause"> => {
    const cause = slots.find((slot) => slot.phase === "failed")?.cause ?? slots.find((slot) => slot.cause)?.cause;
    const phase = slots.some((slot) => slot.phase === "ready")
      ? "ready"
      : slots.every((slot) => slot.phase === "failed")
        ? "failed"
        : "starting";
    return { phase, ...(cause !== undefined && { cause }) };
  };

  const endHanging = () => {
    const limit = config.scoringTimeoutMs + TIMEOUT_GRACE_MS;
    for (const { outstanding, movedAt, worker } of slots) {
      if (outstanding.size > 0 && performance.now() - movedAt > limit) {
        worker?.kill(scoringTimeout(config.scoringTimeoutMs / 1000));
      }
    }
  };

  return {
    start() {
      for (const slot of slots) startWorker(slot);
      if (config.scoringTimeoutMs > 0) hangCheck = setInterval(endHanging, HANG_CHECK_MS).unref();
    },

    status: () => ({
      ...currentPhase(),
      workers: slots.map(({ worker, phase, restarts }) => ({
        pid: worker?.pid ?? 0,
        phase,
        restarts,
        memoryBytes: worker?.memoryBytes() ?? 0,
      })),
      timings: { ...report?.timings },
      ...(report?.sampleInput !== undefined && { sampleInput: report.sampleInput }),
    }),

    models: () =>
      report === undefined
        ? []
        : [
            {
              name: config.service,
              versions: [String(config.revision)],
              platform: "python",
              inputs: describeSchema(report.inputSchema),
              outputs: describeSchema(report.outputSchema),
            },
          ],

    submit(given, call, givenSink) {
      let request = given;
      let sink = givenSink;
      const options = { requestId: given.head.i };
      const { phase, cause } = currentPhase();
      const refusal = isStopping
        ? stopping()
        : phase === "failed"
          ? (cause ?? stillStarting())
          : phase === "starting" && !everReady
            ? stillStarting()
            : waiting.size >= MAX_WAITING
              ? queueFull(waiting.size)
              : undefined;
      if (refusal !== undefined) {
        answerCause(sink, 503, refusal, options);
        return () => {};
      }
      try {
        const translation = translateCall(given, call, {
          model: config.service,
          version: String(config.revision),
          inputSchema: report?.inputSchema,
        });
        if (translation !== undefined) {
          request = translation.request;
          sink = translation.answerTo(givenSink);
        }
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
        answerCause(sink, 400, { code: error.code, message: error.message }, options);
        return () => {};
      }
      lastId = lastId >= 0xffff_ffff ? 1 : lastId + 1;
      const id = lastId;
      waiting.set(id, { id, request, sink, streaming: false, takenBytes: 0 });
      dispatch();
      return () => {
        if (waiting.delete(id)) return;
        const slot = slots.find(({ outstanding }) => outstanding.has(id));
        // It stays in `outstanding` until the worker answers: the worker is still busy with it.
        if (slot !== undefined) slot.worker?.send(id, FrameKind.CANCEL, new Uint8Array());
      };
    },

    swagger: () => pythonSwagger(config, report),

    async stop() {
      isStopping = true;
      clearInterval(hangCheck);
      guard.stop();
      for (const pending of waiting.values()) answerCause(pending.sink, 503, stopping());
      waiting.clear();
      for (const slot of slots) clearTimeout(slot.timer);
      await Promise.all(slots.map((slot) => slot.worker?.stop()));
      await starter.stop();
    },
  };
}

function describeTimings(timings: Readonly<Record<string, number>>): string {
  return Object.entries(timings)
    .map(([name, ms]) => `${name} ${Math.round(ms)} ms`)
    .join(", ");
}
