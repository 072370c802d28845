import { rmSync, writeFileSync } from "node:fs";
import { rename } from "node:fs/promises";
import { join } from "node:path";
import type { Cause, ExitReason, ScorerConfig, ScorerState } from "@slipway/api";
import { type AnswerSink, answerCause, answerJson, answerText, type RequestHandler } from "./exchange.ts";
import { isFinal } from "./frame-message.ts";
import { listenForFrames } from "./frames-edge.ts";
import { listenForHttp } from "./http-edge.ts";
import { openRotatingLog, type RotatingLog } from "./rotating-log.ts";
import type { Runtime } from "./runtime/runtime.ts";
import { bodyTooLarge, methodNotAllowed, pathNotFound, stillStarting, swaggerVersionUnknown } from "./scorer-errors.ts";

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
const SCORE_METHODS = new Set(["POST", "GET", "HEAD"]);
const KNOWN_PATHS = new Set(["/score", "/swagger.json", "/ready", "/"]);

/**
 * Starts everything of one replica. Its listeners answer before its workers are ready: with the reason. `onFatal` hears of
 * what only the end of the whole process can mend.
 */
export async function startScorer(config: ScorerConfig, onFatal: (cause: Cause) => void): Promise<Scorer> {
  const log = openRotatingLog(join(config.runFolder, "logs", "scorer.log"));
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

  const score: RequestHandler = (request, sink) => {
    if (request.payload.length > config.maxBodyBytes) {
      answerCause(sink, 413, bodyTooLarge(config.maxBodyBytes), { requestId: request.head.i });
      return () => {};
    }
    inFlight += 1;
    lastRequestAt = performance.now();
    let open = true;
    const close = () => {
      if (open) inFlight -= 1;
      open = false;
    };
    const cancel = runtime.submit(request, (kind, body) => {
      if (!open) return;
      if (isFinal(kind)) close();
      sink(kind, body);
    });
    return () => {
      if (open) cancel();
      close();
    };
  };

  const handle: RequestHandler = (request, sink) => {
    const { head } = request;
    if (head.p === "/score" && SCORE_METHODS.has(head.m)) return score(request, sink);
    if (head.p === "/score" && head.m === "OPTIONS") answerText(sink, 200, "");
    else if (head.m !== "GET" && head.m !== "HEAD") {
      const known = KNOWN_PATHS.has(head.p);
      answerCause(sink, known ? 405 : 404, known ? methodNotAllowed(head.m, head.p) : pathNotFound(head.p));
    } else if (head.p === "/swagger.json") {
      answerSwagger(sink, new URLSearchParams(head.q ?? "").get("version"), runtime.swagger);
    } else if (head.p === "/") {
      answerText(sink, 200, "Healthy");
    } else if (head.p === "/ready") {
      const { phase, cause } = state();
      if (phase === "ready") answerText(sink, 200, "Ready");
      else answerCause(sink, 503, cause ?? stillStarting());
    } else {
      answerCause(sink, 404, pathNotFound(head.p));
    }
    return () => {};
  };

  const http = await listenForHttp(config, handle, state);
  const frames = await listenForFrames(config, handle, log);
  // An earlier life's: only now is it certain that the folder is ours.
  rmSync(join(config.runFolder, "exit.json"), { force: true });
  log.write("scorer", `Replica ${config.replicaId} of ${config.service}, revision ${config.revision}, starts.`);
  runtime.start();

  const drained = async () => {
    const began = performance.now();
    const quietSince = () => Math.max(began, lastRequestAt);
    while (performance.now() - began < DRAIN_MS) {
      const lingered = frames.peers() === 0 || performance.now() - quietSince() >= LINGER_MS;
      if (inFlight === 0 && lingered) return;
      await new Promise((resolve) => setTimeout(resolve, DRAIN_CHECK_MS));
    }
  };

  const stop = async () => {
    draining = true;
    log.write("scorer", "Stopping.");
    frames.announceDraining();
    http.stopAccepting();
    await drained();
    await runtime.stop();
    await Promise.all([http.close(), frames.close()]);
    await writeExitReason(config.runFolder, { at: new Date().toISOString() });
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
async function runtimeOf(config: ScorerConfig, log: RotatingLog, onFatal: (cause: Cause) => void): Promise<Runtime> {
  const { runtime } = config;
  switch (runtime.kind) {
    case "python":
      return (await import("./runtime/python/python-runtime.ts")).pythonRuntime(config, runtime, log);
    case "onnx":
      return (await import("./runtime/onnx/onnx-runtime.ts")).onnxRuntime(config, runtime, log, onFatal);
  }
}

function answerSwagger(sink: AnswerSink, version: string | null, document: () => unknown): void {
  if (version === null || version === "2" || version === "2.0") answerJson(sink, 200, document());
  else answerCause(sink, 404, swaggerVersionUnknown(version));
}

/** Atomic: whoever finds the file finds it whole. */
async function writeExitReason(runFolder: string, reason: ExitReason): Promise<void> {
  const file = join(runFolder, "exit.json");
  writeFileSync(`${file}.new`, JSON.stringify(reason));
  await rename(`${file}.new`, file);
}
