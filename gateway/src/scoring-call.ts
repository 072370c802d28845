import type { RequestHead, ServiceRoute } from "@slipway/api";
import type { Caller } from "./caller.ts";
import { answerInvalid, type Refusal, replicaGone, scoringTimeout } from "./gateway-errors.ts";
import type { Log } from "./log.ts";
import type { Exchange, ReplicaConnection } from "./replica-connection.ts";
import type { AnswerStart } from "./replica-frames.ts";
import type { ServiceQueue, Waiting } from "./service-queue.ts";

/** The scorer knows the limit too and names the worker that was too slow: it gets this much longer to say so. */
const TIMEOUT_GRACE_MS = 500;
/** A caller may lag this far behind a streamed answer before the replica's connection is held for it. */
const STREAM_LAG_BYTES = 32 * 1024 * 1024;
/** The connection is shared: one slow reader may hold it this long in all, then it is cut off. */
const HOLD_BUDGET_MS = 2000;

export interface CallParts {
  readonly route: ServiceRoute;
  readonly queue: ServiceQueue;
  readonly caller: Caller;
  readonly head: RequestHead;
  readonly body: readonly Uint8Array[];
  readonly log: Log;
}

/** One scoring request from the moment its body is here until its last byte is answered. */
export class ScoringCall implements Waiting, Exchange {
  readonly body: readonly Uint8Array[];
  readonly head: RequestHead;
  readonly #parts: CallParts;
  #replica: ReplicaConnection | undefined;
  #id = 0;
  #timer: NodeJS.Timeout | undefined;
  #streaming = false;
  #over = false;
  #release: (() => void) | undefined;
  #heldMs = 0;

  constructor(parts: CallParts) {
    this.#parts = parts;
    this.head = { ...parts.head, t: parts.route.scoringTimeoutMs };
    this.body = parts.body;
    parts.caller.onceOver(() => this.#callerGone());
    parts.queue.join(this);
  }

  assigned(replica: ReplicaConnection): void {
    this.#replica = replica;
    this.#watchTime();
    this.#id = replica.send(this);
  }

  refused(refusal: Refusal): void {
    if (this.#settle()) this.#parts.caller.refuse(refusal);
  }

  /** The caller's own time is over, wherever the request is. */
  giveUp(refusal: Refusal): void {
    this.#parts.queue.leave(this);
    this.#replica?.cancel(this.#id);
    if (this.#streaming) this.#breakOff(refusal.message);
    else this.refused(refusal);
  }

  answered(answer: AnswerStart | string): void {
    if (this.#over) return;
    const problem = typeof answer === "string" ? answer : (this.#begun() ?? this.#parts.caller.answer(answer));
    if (problem === undefined) this.#settle();
    else this.#fail(problem);
  }

  streamStarted(answer: AnswerStart | string): void {
    if (this.#over) return;
    const problem = typeof answer === "string" ? answer : (this.#begun() ?? this.#parts.caller.begin(answer));
    if (problem === undefined) this.#streaming = true;
    else this.#fail(problem);
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
    else if (this.#settle()) this.#parts.caller.end();
  }

  lost(cause: string, written: boolean): void {
    const { route, queue } = this.#parts;
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

  #begun(): string | undefined {
    return this.#streaming ? "the replica began a second answer" : undefined;
  }

  /** The replica's answer is of no use. */
  #fail(why: string): void {
    if (this.#streaming) {
      this.#breakOff(why);
      return;
    }
    this.#replica?.cancel(this.#id);
    this.refused(answerInvalid(this.#parts.route.name, why));
  }

  /** Until the answer begins the scoring timeout counts; while it streams, the time without a new part. */
  #watchTime(): void {
    if (this.#timer !== undefined && this.#streaming) {
      this.#timer.refresh();
      return;
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#timeOver(), this.#parts.route.scoringTimeoutMs + TIMEOUT_GRACE_MS);
  }

  #timeOver(): void {
    const { name, scoringTimeoutMs } = this.#parts.route;
    this.#replica?.cancel(this.#id);
    const refusal = scoringTimeout(name, scoringTimeoutMs);
    if (this.#streaming) this.#breakOff(refusal.message);
    else this.refused(refusal);
  }

  #callerGone(): void {
    if (!this.#settle()) return;
    this.#parts.queue.leave(this);
    this.#replica?.cancel(this.#id);
  }

  #breakOff(cause: string): void {
    if (!this.#settle()) return;
    this.#replica?.cancel(this.#id);
    this.#parts.log.warn("streamed answer broken off", {
      service: this.#parts.route.name,
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
  #settle(): boolean {
    if (this.#over) return false;
    this.#over = true;
    clearTimeout(this.#timer);
    this.#release?.();
    return true;
  }
}
