import { connect, type Socket } from "node:net";
import {
  type Frame,
  FrameDecoder,
  FrameError,
  FrameKind,
  IdMap,
  type ReplicaRoute,
  type RequestHead,
} from "@slipway/api";
import { FrameWriter } from "./frame-writer.ts";
import type { Log } from "./log.ts";
import {
  type AnswerStart,
  answerReader,
  cancelFrame,
  helloFrame,
  helloProblem,
  requestFrame,
  saysDraining,
} from "./replica-frames.ts";

const FIRST_BACKOFF_MS = 50;
const LAST_BACKOFF_MS = 1000;
const HELLO_TIMEOUT_MS = 2000;
const PROBE_EVERY_MS = 20;
/** An answer is user code's work: a whole one may not claim more memory than this. Longer answers come as streams. */
const MAX_ANSWER_BYTES = 256 * 1024 * 1024;

/** One request's half that faces the replica. Exactly one of `answered`, `ended` and `lost` comes last. */
export interface Exchange {
  readonly head: RequestHead;
  readonly body: readonly Uint8Array[];
  /** `problem` in words when the answer cannot be read */
  answered(answer: AnswerStart | string): void;
  streamStarted(answer: AnswerStart | string): void;
  streamData(part: Uint8Array): void;
  /** `cause` is empty when the stream is whole */
  ended(cause: string): void;
  /** The connection is gone. `written` is false when the replica cannot have seen any of it. */
  lost(cause: string, written: boolean): void;
}

export interface ReplicaEvents {
  /** may take (more) requests now */
  readonly onAvailable: () => void;
  /** the last request in work is done */
  readonly onIdle: () => void;
}

type State = "connecting" | "ready" | "waiting" | "closed";

/**
 * The one connection to a replica; requests share it by frame ids. It reconnects as long as the route exists. Retired, it
 * takes nothing new, finishes what is in work, and closes.
 */
export class ReplicaConnection {
  readonly replica: ReplicaRoute;
  readonly #log: Log;
  readonly #events: ReplicaEvents;
  readonly #exchanges = new IdMap<Exchange>();
  readonly #readAnswer = answerReader();
  #state: State = "waiting";
  #socket: Socket | undefined;
  #writer: FrameWriter | undefined;
  #timer: NodeJS.Timeout | undefined;
  #backoffMs = FIRST_BACKOFF_MS;
  #complained = false;
  #lastId = 0;
  #draining = false;
  /** has said of itself that it is ready, if it must */
  #proven = false;
  #retired = false;
  #holds = 0;

  constructor(replica: ReplicaRoute, log: Log, events: ReplicaEvents) {
    this.replica = replica;
    this.#log = log;
    this.#events = events;
    this.#connect();
  }

  get ready(): boolean {
    return this.#state === "ready";
  }

  /** Nobody listens there at this moment. */
  get refused(): boolean {
    return this.#state === "waiting";
  }

  /** False while connecting, not ready yet, draining or when the replica reads slower than the gateway writes. */
  get available(): boolean {
    return this.#state === "ready" && this.#proven && !this.#draining && this.#socket?.writableNeedDrain === false;
  }

  /** Requests in work. */
  get outstanding(): number {
    return this.#exchanges.size;
  }

  /** Only when `available`. Returns the id for `cancel`. */
  send(exchange: Exchange): number {
    if (this.#writer === undefined) throw new Error(`Replica ${this.replica.id} is not connected.`);
    const id = this.#freeId();
    this.#exchanges.set(id, exchange);
    this.#writer.write(requestFrame(id, exchange.head, exchange.body), id);
    return id;
  }

  /** The caller is gone or the time is over: the answer is dropped if one comes. Its slot is free at once. */
  cancel(id: number): void {
    if (!this.#exchanges.has(id)) return;
    this.#writer?.write([cancelFrame(id)]);
    this.#finish(id);
  }

  /** Stops reading, for all requests on this connection, until every holder let go by calling the returned function once. */
  hold(): () => void {
    const socket = this.#socket;
    this.#holds += 1;
    socket?.pause();
    return () => {
      if (socket !== this.#socket) return;
      this.#holds -= 1;
      if (this.#holds === 0) socket?.resume();
    };
  }

  /** Tries again at once instead of after the pause. */
  retry(): void {
    if (this.#state !== "waiting") return;
    clearTimeout(this.#timer);
    this.#connect();
  }

  /** The route is gone. */
  retire(): void {
    this.#retired = true;
    if (this.outstanding === 0) this.#close();
  }

  /** The route is back before the last request was done. */
  revive(): void {
    this.#retired = false;
  }

  #connect(): void {
    this.#state = "connecting";
    const socket = connect({ path: this.replica.framesSocket });
    const writer = new FrameWriter(socket);
    const decoder = new FrameDecoder((frame) => this.#onFrame(frame), MAX_ANSWER_BYTES);
    let cause = "it closed the connection";
    this.#socket = socket;
    this.#writer = writer;
    this.#timer = setTimeout(() => socket.destroy(new Error("it sent no HELLO")), HELLO_TIMEOUT_MS);
    socket.on("connect", () => socket.write(helloFrame));
    socket.on("drain", () => this.#events.onAvailable());
    socket.on("data", (chunk) => {
      try {
        decoder.push(chunk);
      } catch (error) {
        if (!(error instanceof FrameError)) throw error;
        socket.destroy(error);
      }
    });
    socket.on("error", (error) => {
      cause = error.message;
    });
    socket.on("close", () => this.#onClose(writer, cause));
  }

  #onFrame(frame: Frame): void {
    if (this.#state === "connecting") {
      this.#onHello(frame);
      return;
    }
    const exchange = this.#exchanges.get(frame.id);
    switch (frame.kind) {
      case FrameKind.RESPONSE:
        this.#finish(frame.id);
        exchange?.answered(this.#readAnswer(frame.body));
        break;
      case FrameKind.STREAM:
        exchange?.streamStarted(this.#readAnswer(frame.body));
        break;
      case FrameKind.DATA:
        exchange?.streamData(frame.body);
        break;
      case FrameKind.END:
        this.#finish(frame.id);
        exchange?.ended(Buffer.from(frame.body).toString());
        break;
      case FrameKind.EVENT:
        if (saysDraining(frame.body)) this.#draining = true;
        break;
      default:
        throw new FrameError(`it sent a frame of kind ${frame.kind}, which a scorer never sends`);
    }
  }

  #onHello(frame: Frame): void {
    const problem =
      frame.kind === FrameKind.HELLO ? helloProblem(frame.body, this.replica.nonce) : "its first frame is no HELLO";
    if (problem !== undefined) throw new FrameError(problem);
    clearTimeout(this.#timer);
    this.#state = "ready";
    this.#backoffMs = FIRST_BACKOFF_MS;
    this.#complained = false;
    this.#draining = false;
    this.#proven = this.replica.probe !== true;
    this.#log.info("replica connected", { replica: this.replica.id });
    if (this.#proven) this.#events.onAvailable();
    else this.#probe();
  }

  #probe(): void {
    const again = () => {
      this.#timer = setTimeout(() => this.#probe(), PROBE_EVERY_MS);
    };
    this.send({
      head: { m: "GET", p: "/ready", h: {}, i: "probe" },
      body: [],
      answered: (answer) => {
        this.#proven = typeof answer !== "string" && answer.status === 200;
        if (this.#proven) this.#events.onAvailable();
        else again();
      },
      streamStarted: () => {},
      streamData: () => {},
      ended: again,
      // The next connection asks anew.
      lost: () => {},
    });
  }

  #onClose(writer: FrameWriter, cause: string): void {
    clearTimeout(this.#timer);
    writer.stop();
    const lost = [...this.#exchanges.entries()];
    const unwritten = new Set(writer.unwritten);
    this.#exchanges.clear();
    this.#writer = undefined;
    this.#holds = 0;
    if (this.#retired) this.#state = "closed";
    if (this.#state !== "closed") this.#reconnectLater(cause);
    for (const [id, exchange] of lost) exchange.lost(cause, !unwritten.has(id));
    this.#events.onIdle();
  }

  #reconnectLater(cause: string): void {
    if (!this.#complained) this.#log.warn("replica not connected", { replica: this.replica.id, cause });
    this.#complained = true;
    this.#state = "waiting";
    this.#timer = setTimeout(() => this.#connect(), this.#backoffMs);
    this.#backoffMs = Math.min(this.#backoffMs * 2, LAST_BACKOFF_MS);
  }

  #finish(id: number): void {
    if (!this.#exchanges.delete(id)) return;
    if (this.outstanding === 0) {
      this.#events.onIdle();
      if (this.#retired) this.#close();
    }
    if (this.available) this.#events.onAvailable();
  }

  #close(): void {
    const socket = this.#socket;
    clearTimeout(this.#timer);
    if (this.#state === "ready") {
      // Not destroy(): a CANCEL of this turn may still wait in the writer.
      setImmediate(() => socket?.end(() => socket.destroy()));
    } else {
      socket?.destroy();
    }
    this.#state = "closed";
  }

  #freeId(): number {
    do {
      this.#lastId = this.#lastId === 0xffff_ffff ? 1 : this.#lastId + 1;
    } while (this.#exchanges.has(this.#lastId));
    return this.#lastId;
  }
}
