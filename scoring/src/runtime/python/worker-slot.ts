import type { Cause } from "@slipway/api";
import { FrameKind } from "@slipway/api/frames";
import { IdMap } from "@slipway/api/id-map";
import { type AnswerSink, answerCause, type ScoringRequest } from "../../exchange.ts";
import { type RestartDelay, restartDelay } from "../../restart-delay.ts";
import type { PythonWorker } from "./python-worker.ts";

/** A request that waits or is in work. */
export interface Pending {
  readonly id: number;
  readonly request: ScoringRequest;
  readonly sink: AnswerSink;
  streaming: boolean;
  /** bytes of a streamed answer that have left, and that the worker has not been told of */
  takenBytes: number;
}

/** A place for one worker process, which may be the third one there. */
export interface Slot {
  readonly name: string;
  readonly outstanding: IdMap<Pending>;
  readonly delay: RestartDelay;
  phase: "starting" | "ready" | "failed" | "stopped";
  worker: PythonWorker | undefined;
  readyAt: number | undefined;
  restarts: number;
  crashes: number;
  cause: Cause | undefined;
  /** when it last gave a sign of progress, or got its first request after idling */
  movedAt: number;
  /** milliseconds for one answer, a moving average */
  answerMs: number;
  /** for `async def run`: how many requests may be in work at once */
  requestsAtOnce: number | undefined;
  timer: NodeJS.Timeout | undefined;
}

/** As much work as a worker does in this time is sent ahead: quick scripts get batches, slow ones a request at a time. */
const AHEAD_MS = 4;
const MAX_AHEAD = 32;
/** Weight of one answer in the moving average: a batch of {@link MAX_AHEAD} answers counts as a whole. */
const ANSWER_WEIGHT = 1 / MAX_AHEAD;
/** A quarter of what a worker may send ahead of the reader: small streams need no word about it at all. */
const TELL_TAKEN_BYTES = 256 * 1024;

export function newSlot(name: string): Slot {
  return {
    name,
    outstanding: new IdMap(),
    delay: restartDelay(),
    phase: "starting",
    worker: undefined,
    readyAt: undefined,
    restarts: 0,
    crashes: 0,
    cause: undefined,
    movedAt: 0,
    answerMs: AHEAD_MS,
    requestsAtOnce: undefined,
    timer: undefined,
  };
}

/** The ready worker with the least work, if any has room for more. */
export function leastBusy(slots: readonly Slot[]): Slot | undefined {
  let best: Slot | undefined;
  for (const slot of slots) {
    if (slot.phase !== "ready" || slot.outstanding.size >= room(slot)) continue;
    if (best === undefined || slot.outstanding.size < best.outstanding.size) best = slot;
  }
  return best;
}

function room({ requestsAtOnce, answerMs }: Slot): number {
  return requestsAtOnce ?? Math.min(MAX_AHEAD, Math.max(1, Math.floor(AHEAD_MS / answerMs)));
}

/** To be called for each frame of an answer. */
export function noteAnswer(slot: Slot): void {
  const now = performance.now();
  slot.answerMs += (now - slot.movedAt - slot.answerMs) * ANSWER_WEIGHT;
  slot.movedAt = now;
}

/** Bytes of a streamed answer are with its reader; the worker is told now and then, so that it sends more. */
export function tellTaken(slot: Slot, pending: Pending, bytes: number): void {
  pending.takenBytes += bytes;
  if (pending.takenBytes < TELL_TAKEN_BYTES || slot.outstanding.get(pending.id) !== pending) return;
  slot.worker?.send(pending.id, FrameKind.TAKEN, uint32(pending.takenBytes));
  pending.takenBytes = 0;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** What a worker had in work when it died. */
export function failPending({ sink, streaming, request }: Pending, cause: Cause, legacyStatusCodes: boolean): void {
  if (streaming) sink(FrameKind.END, Buffer.from(cause.message));
  else answerCause(sink, legacyStatusCodes ? 500 : 424, cause, { requestId: request.head.i, runFailed: true });
}
