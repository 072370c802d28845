import type { ServerResponse } from "node:http";
import type { RequestHead, ServiceRoute } from "@slipway/api";
import { hasNoBody, passableHeaders, writeAnswer, writeRefusal } from "./answer-writer.ts";
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
  readonly response: ServerResponse;
  readonly head: RequestHead;
  readonly body: readonly Uint8Array[];
  /** true while the gateway stops: connections are not kept */
  readonly closing: () => boolean;
  readonly log: Log;
}

interface SendableStart {
  readonly status: number;
  readonly headers: string[];
  readonly payload: Buffer;
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
    parts.response.once("close", () => this.#callerGone());
    parts.queue.join(this);
  }

  assigned(replica: ReplicaConnection): void {
    this.#replica = replica;
    this.#watchTime();
    this.#id = replica.send(this);
  }

  refused(refusal: Refusal): void {
    if (this.#settle()) writeRefusal(this.#parts.response, this.head.i, refusal, this.#closeHeader());
  }

  answered(answer: AnswerStart | string): void {
    const start = this.#begin(answer);
    if (start === undefined) return;
    this.#settle();
    writeAnswer(this.#parts.response, start.status, start.headers, start.payload);
  }

  streamStarted(answer: AnswerStart | string): void {
    const start = this.#begin(answer);
    if (start === undefined) return;
    this.#streaming = true;
    this.#parts.response.writeHead(start.status, start.headers);
    this.#parts.response.flushHeaders();
    this.streamData(start.payload);
  }

  streamData(part: Uint8Array): void {
    const { response } = this.#parts;
    if (this.#over) return;
    if (!this.#streaming) {
      this.#fail("the replica sent a part of an answer that it had not begun");
      return;
    }
    this.#watchTime();
    if (part.length === 0 || hasNoBody(response.statusCode, response.req.method)) return;
    // Receive buffers are never used twice, so this view may wait in the response for as long as it must.
    response.write(part);
    if (response.writableLength > STREAM_LAG_BYTES) this.#holdForSlowReader();
  }

  ended(cause: string): void {
    if (cause !== "" || !this.#streaming) this.#fail(cause === "" ? "it ended before it began" : cause);
    else if (this.#settle()) this.#parts.response.end();
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

  /** The beginning of an answer, ready to be written; `undefined` when it is not wanted or the call has failed by it. */
  #begin(answer: AnswerStart | string): SendableStart | undefined {
    if (this.#over) return undefined;
    const start = this.#streaming ? "the replica began a second answer" : this.#checked(answer);
    if (typeof start !== "string") return start;
    this.#fail(start);
    return undefined;
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

  #checked(answer: AnswerStart | string): SendableStart | string {
    if (typeof answer === "string") return answer;
    if (answer.status < 200 || answer.status > 599) return `its status is ${answer.status}`;
    const headers = passableHeaders(answer.headers);
    if (typeof headers === "string") return headers;
    headers.push("x-request-id", this.head.i, ...this.#closeHeader());
    return { status: answer.status, headers, payload: answer.payload };
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

  /** The head is out, so a broken connection is the only way left to say that the answer is not whole. */
  #breakOff(cause: string): void {
    if (!this.#settle()) return;
    this.#replica?.cancel(this.#id);
    this.#parts.log.warn("streamed answer broken off", {
      service: this.#parts.route.name,
      request: this.head.i,
      cause,
    });
    this.#parts.response.destroy();
  }

  #holdForSlowReader(): void {
    if (this.#release !== undefined) return;
    const release = this.#replica?.hold();
    const since = Date.now();
    const cut = setTimeout(() => this.#breakOff("the caller reads too slowly"), HOLD_BUDGET_MS - this.#heldMs);
    this.#release = () => {
      clearTimeout(cut);
      this.#heldMs += Date.now() - since;
      this.#release = undefined;
      release?.();
    };
    this.#parts.response.once("drain", () => this.#release?.());
  }

  /** True the first time: from then on nothing is written to the caller by anyone else. */
  #settle(): boolean {
    if (this.#over) return false;
    this.#over = true;
    clearTimeout(this.#timer);
    this.#release?.();
    return true;
  }

  #closeHeader(): string[] {
    return this.#parts.closing() ? ["connection", "close"] : [];
  }
}
