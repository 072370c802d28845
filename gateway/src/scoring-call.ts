import type { RequestHead, RequestOutcome } from "@slipway/api";
import type { Caller } from "./caller.ts";
import { answerInvalid, type Refusal, replicaGone, scoringTimeout } from "./gateway-errors.ts";
import type { Log } from "./log.ts";
import type { Exchange, ReplicaConnection } from "./replica-connection.ts";
import type { AnswerStart } from "./replica-frames.ts";
import type { RoutedService } from "./route-table.ts";
import type { Waiting } from "./service-queue.ts";

/** The scorer knows the limit too and names the worker that was too slow: it gets this much longer to say so. */
const TIMEOUT_GRACE_MS = 500;
/** A caller may lag this far behind a streamed answer before the replica's connection is held for it. */
const STREAM_LAG_BYTES = 32 * 1024 * 1024;
/** The connection is shared: one slow reader may hold it this long in all, then it is cut off. */
const HOLD_BUDGET_MS = 2000;

export interface CallParts {
  readonly service: RoutedService;
  readonly caller: Caller;
  /** when the head was here, by `performance.now()` */
  readonly sinceMs: number;
  readonly head: RequestHead;
  readonly body: readonly Uint8Array[];
  readonly log: Log;
}

/** One scoring request from the moment its body is here until its last byte is answered. */
export class ScoringCall implements Waiting, Exchange {
  readonly body: readonly Uint8Array[];
  readonly head: RequestHead;
  ticket = 0;
  readonly #parts: CallParts;
  #replica: ReplicaConnection | undefined;
  #id = 0;
  #timer: NodeJS.Timeout | undefined;
  #revision: number;
  /** of a streamed answer; 0 before it begins */
  #status = 0;
  #over = false;
  #release: (() => void) | undefined;
  #heldMs = 0;

  constructor(parts: CallParts) {
    this.#parts = parts;
    this.head = { ...parts.head, t: parts.service.route.scoringTimeoutMs };
    this.body = parts.body;
    this.#revision = parts.service.route.revision;
    parts.service.load.change(1, performance.now());
    parts.caller.onceOver(() => this.#callerGone());
    parts.service.queue.join(this);
  }

  assigned(replica: ReplicaConnection): void {
    this.#replica = replica;
    this.#revision = this.#parts.service.queue.revision;
    this.#watchTime();
    this.#id = replica.send(this);
  }

  refused(refusal: Refusal): void {
    if (!this.#settle(refusal.status)) return;
    this.#parts.service.metrics.refused(refusal.code);
    this.#parts.caller.refuse(refusal);
  }

  /** The caller's own time is over, wherever the request is. */
  giveUp(refusal: Refusal): void {
    this.#parts.service.queue.leave(this);
    this.#replica?.cancel(this.#id);
    if (this.#streaming) this.#breakOff(refusal.message);
    else this.refused(refusal);
  }

  answered(answer: AnswerStart | string): void {
    if (this.#over) return;
    const start = this.#readable(answer);
    const problem = typeof start === "string" ? start : this.#parts.caller.answer(start);
    if (problem !== undefined) this.#fail(problem);
    else if (typeof start !== "string") this.#settle(start.status);
  }

  streamStarted(answer: AnswerStart | string): void {
    if (this.#over) return;
    const start = this.#readable(answer);
    const problem = typeof start === "string" ? start : this.#parts.caller.begin(start);
    if (problem !== undefined) this.#fail(problem);
    else if (typeof start !== "string") this.#status = start.status;
  }

  streamData(part: Uint8Array): void {
    if (this.#over) return;
    if (!this.#streaming) {
      this.#fail("the replica sent a part of an answer that it had not begun");
      return;
    }
    this.#watchTime();
    this.#parts.caller.part(part);
    if (this.#parts.caller.lagBytes > STREAM_LAG_BYTES) this.#holdForSlowReader();
  }

  ended(cause: string): void {
    if (cause !== "" || !this.#streaming) this.#fail(cause === "" ? "it ended before it began" : cause);
    else if (this.#settle(this.#status)) this.#parts.caller.end();
  }

  lost(cause: string, written: boolean): void {
    const { route, queue } = this.#parts.service;
    const replica = this.#replica?.replica.id ?? "";
    this.#replica = undefined;
    if (this.#streaming) {
      this.#breakOff(cause);
    } else if (written) {
      this.refused(replicaGone(route.name, replica, cause));
    } else if (!this.#over) {
      clearTimeout(this.#timer);
      queue.join(this);
    }
  }

  /** The beginning of an answer, or in words why it is none. */
  #readable(answer: AnswerStart | string): AnswerStart | string {
    return this.#streaming ? "the replica began a second answer" : answer;
  }

  /** The replica's answer is of no use. */
  #fail(why: string): void {
    if (this.#streaming) {
      this.#breakOff(why);
      return;
    }
    this.#replica?.cancel(this.#id);
    this.refused(answerInvalid(this.#parts.service.route.name, why));
  }

  get #streaming(): boolean {
    return this.#status > 0;
  }

  /** Until the answer begins the scoring timeout counts; while it streams, the time without a new part. */
  #watchTime(): void {
    if (this.#timer !== undefined && this.#streaming) {
      this.#timer.refresh();
      return;
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#timeOver(), this.#parts.service.route.scoringTimeoutMs + TIMEOUT_GRACE_MS);
  }

  #timeOver(): void {
    const { name, scoringTimeoutMs } = this.#parts.service.route;
    this.#replica?.cancel(this.#id);
    const refusal = scoringTimeout(name, scoringTimeoutMs);
    if (this.#streaming) this.#breakOff(refusal.message);
    else this.refused(refusal);
  }

  #callerGone(): void {
    if (!this.#settle("canceled")) return;
    this.#parts.service.queue.leave(this);
    this.#replica?.cancel(this.#id);
  }

  #breakOff(cause: string): void {
    if (!this.#settle("broken")) return;
    this.#replica?.cancel(this.#id);
    this.#parts.log.warn("streamed answer broken off", {
      service: this.#parts.service.route.name,
      request: this.head.i,
      cause,
    });
    this.#parts.caller.breakOff();
  }

  #holdForSlowReader(): void {
    if (this.#release !== undefined) return;
    const release = this.#replica?.hold();
    const since = performance.now();
    const cut = setTimeout(() => this.#breakOff("the caller reads too slowly"), HOLD_BUDGET_MS - this.#heldMs);
    this.#release = () => {
      clearTimeout(cut);
      this.#heldMs += performance.now() - since;
      this.#release = undefined;
      release?.();
    };
    this.#parts.caller.onceDrained(() => this.#release?.());
  }

  /** True the first time: from then on nothing is written to the caller by anyone else. */
  #settle(outcome: RequestOutcome): boolean {
    if (this.#over) return false;
    this.#over = true;
    const { service, sinceMs } = this.#parts;
    const now = performance.now();
    service.load.change(-1, now);
    service.metrics.finished(this.#revision, outcome, (now - sinceMs) / 1000);
    clearTimeout(this.#timer);
    this.#release?.();
    return true;
  }
}
