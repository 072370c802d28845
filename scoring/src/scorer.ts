import { rmSync, writeFileSync } from "node:fs";
import { rename } from "node:fs/promises";
import { join } from "node:path";
import type { Cause, ExitReason, ScorerConfig, ScorerState } from "@slipway/api";
import type { ScorerSettings } from "./config.ts";
import type { AnswerSink, RequestHandler, ScoringRequest } from "./exchange.ts";
import { isFinal } from "./frame-message.ts";
import { listenForFrames } from "./frames-edge.ts";
import { type Admit, listenForHttp } from "./http-edge.ts";
import type { ModelCall } from "./protocol/model-call.ts";
import { requestHandler } from "./request-handler.ts";
import type { Runtime } from "./runtime/runtime.ts";
import type { ScorerLog } from "./scorer-log.ts";

export interface Scorer {
  state(): ScorerState;
  /** Finishes what is in work, stops the workers, and writes `exit.json`. Asked again, it is the same stop. */
  stop(): Promise<void>;
}

/** How long requests in work may take after SIGTERM: longer than nearly every run(), shorter than people wait. */
const DRAIN_MS = 30_000;
/** A request that the gateway sent before it heard of the end arrives within this time. */
const LINGER_MS = 200;
const DRAIN_CHECK_MS = 20;

export interface Surroundings {
  readonly log: ScorerLog;
  /** hears of what only the end of the whole process can mend */
  onFatal(cause: Cause): void;
  /** decides over HTTP requests by their heads; without it all are let in */
  readonly admit?: Admit;
  /** stands before the scorer's own answers */
  wrap?(handle: RequestHandler, state: () => ScorerState): RequestHandler;
}

/** Starts everything of one replica. Its listeners answer before its workers are ready: with the reason. */
export async function startScorer(
  config: ScorerSettings & Partial<ScorerConfig>,
  { log, onFatal, ...around }: Surroundings,
): Promise<Scorer> {
  const runtime = await runtimeOf(config, log, onFatal);
  let inFlight = 0;
  let lastRequestAt = 0;
  let draining = false;

  const state = (): ScorerState => {
    const status = runtime.status();
    return {
      replicaId: config.replicaId,
      nonce: config.nonce,
      pid: process.pid,
      ...status,
      phase: draining ? "draining" : status.phase,
      inFlight,
    };
  };

  const score = (request: ScoringRequest, call: ModelCall, sink: AnswerSink): (() => void) => {
    inFlight += 1;
    lastRequestAt = performance.now();
    let open = true;
    const close = () => {
      if (open) inFlight -= 1;
      open = false;
    };
    const cancel = runtime.submit(request, call, (kind, body, taken) => {
      if (!open) return;
      if (isFinal(kind)) close();
      sink(kind, body, taken);
    });
    return () => {
      if (open) cancel();
      close();
    };
  };

  const answers = requestHandler(config, { state, models: runtime.models, swagger: runtime.swagger, score });
  const handle = around.wrap?.(answers, state) ?? answers;

  const { runFolder, framesSocket } = config;
  const http = await listenForHttp(config, { handle, state, admit: around.admit });
  const frames =
    framesSocket === undefined ? undefined : await listenForFrames({ ...config, framesSocket }, handle, log);
  // An earlier life's: only now is it certain that the folder is ours.
  if (runFolder !== undefined) rmSync(join(runFolder, "exit.json"), { force: true });
  log.write("scorer", `Replica ${config.replicaId} of ${config.service}, revision ${config.revision}, starts.`);
  runtime.start();

  const drained = async () => {
    const began = performance.now();
    const quietSince = () => Math.max(began, lastRequestAt);
    while (performance.now() - began < DRAIN_MS) {
      const lingered = (frames?.peers() ?? 0) === 0 || performance.now() - quietSince() >= LINGER_MS;
      if (inFlight === 0 && lingered) return;
      await new Promise((resolve) => setTimeout(resolve, DRAIN_CHECK_MS));
    }
  };

  const stop = async () => {
    draining = true;
    log.write("scorer", "Stopping.");
    frames?.announceDraining();
    http.stopAccepting();
    await drained();
    await runtime.stop();
    await Promise.all([http.close(), frames?.close()]);
    if (runFolder !== undefined) await writeExitReason(runFolder, { at: new Date().toISOString() });
    log.write("scorer", "Stopped.");
    log.close();
  };
  let stopped: Promise<void> | undefined;
  return {
    state,
    stop() {
      stopped ??= stop();
      return stopped;
    },
  };
}

/** Only what this replica needs is loaded: its start is part of every deployment. */
async function runtimeOf(config: ScorerSettings, log: ScorerLog, onFatal: (cause: Cause) => void): Promise<Runtime> {
  const { runtime } = config;
  switch (runtime.kind) {
    case "python":
      return (await import("./runtime/python/python-runtime.ts")).pythonRuntime(config, runtime, log);
    case "onnx":
      return (await import("./runtime/onnx/onnx-runtime.ts")).onnxRuntime(config, runtime, log, onFatal);
  }
}

/** Atomic: whoever finds the file finds it whole. */
async function writeExitReason(runFolder: string, reason: ExitReason): Promise<void> {
  const file = join(runFolder, "exit.json");
  writeFileSync(`${file}.new`, JSON.stringify(reason));
  await rename(`${file}.new`, file);
}
