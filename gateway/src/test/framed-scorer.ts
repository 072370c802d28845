import { createServer, type Socket } from "node:net";
import {
  encodeFrame,
  FRAME_PROTOCOL_VERSION,
  FrameDecoder,
  FrameKind,
  type ReplicaRoute,
  type RequestHead,
} from "@slipway/api";

/** What a scripted scorer can do with one request. */
export interface ScorerRequest {
  readonly head: RequestHead;
  readonly payload: Buffer;
  respond(status: number, headers: Record<string, unknown>, payload: string | Buffer): void;
  stream(status: number, headers: Record<string, unknown>, payload: string): void;
  data(payload: string | Buffer): void;
  end(cause?: string): void;
  /** writes bytes as they are */
  raw(bytes: Uint8Array): void;
  /** breaks the connection, as a dying process does */
  die(): void;
  readonly cancelled: Promise<void>;
}

export interface FramedScorer {
  readonly replica: ReplicaRoute;
  readonly received: RequestHead[];
  /** kinds of all frames that came, in order */
  readonly kinds: number[];
  connections(): number;
  event(value: unknown): void;
  /** Closes the socket and every connection at once: a SIGKILL as the gateway sees it. */
  kill(): Promise<void>;
}

export interface ScorerOptions {
  readonly id: string;
  readonly socket: string;
  readonly nonce?: string;
  readonly protocol?: number;
  readonly role?: string;
  /** does not answer a HELLO */
  readonly silent?: boolean;
  /** default: answers 200 with its id and the request's text */
  readonly onRequest?: (request: ScorerRequest) => void;
}

/** The other side of the wire: speaks the frame protocol over a real Unix socket and does what a test tells it. */
export async function startFramedScorer(options: ScorerOptions): Promise<FramedScorer> {
  const { id, socket: path, nonce = `nonce-${id}` } = options;
  const onRequest = options.onRequest ?? echo(id);
  const sockets = new Set<Socket>();
  const received: RequestHead[] = [];
  const kinds: number[] = [];
  const hello = { protocol: options.protocol ?? FRAME_PROTOCOL_VERSION, role: options.role ?? "scorer", nonce };
  const server = createServer((socket) => {
    const cancels = new Map<number, () => void>();
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket)).on("error", () => socket.destroy());
    const decoder = new FrameDecoder((frame) => {
      kinds.push(frame.kind);
      if (frame.kind === FrameKind.HELLO && options.silent !== true)
        socket.write(encodeFrame(0, FrameKind.HELLO, json(hello)));
      if (frame.kind === FrameKind.CANCEL) cancels.get(frame.id)?.();
      if (frame.kind !== FrameKind.REQUEST) return;
      const body = Buffer.from(frame.body);
      const headEnd = 4 + body.readUInt32BE(0);
      const head: RequestHead = JSON.parse(body.toString("utf8", 4, headEnd));
      received.push(head);
      const send = (kind: FrameKind, bytes: Uint8Array) => socket.write(encodeFrame(frame.id, kind, bytes));
      onRequest({
        head,
        payload: body.subarray(headEnd),
        respond: (status, headers, payload) => send(FrameKind.RESPONSE, answerBody(status, headers, payload)),
        stream: (status, headers, payload) => send(FrameKind.STREAM, answerBody(status, headers, payload)),
        data: (payload) => send(FrameKind.DATA, Buffer.from(payload)),
        end: (cause = "") => send(FrameKind.END, Buffer.from(cause)),
        raw: (bytes) => socket.write(bytes),
        die: () => socket.destroy(),
        cancelled: new Promise((resolve) => cancels.set(frame.id, resolve)),
      });
    });
    socket.on("data", (chunk) => decoder.push(chunk));
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    replica: { id, framesSocket: path, nonce: `nonce-${id}` },
    received,
    kinds,
    connections: () => sockets.size,
    event: (value) => {
      for (const socket of sockets) socket.write(encodeFrame(0, FrameKind.EVENT, json(value)));
    },
    kill: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

function echo(id: string): (request: ScorerRequest) => void {
  return ({ payload, respond }) =>
    respond(200, { "content-type": "application/json" }, JSON.stringify({ replica: id, got: payload.toString() }));
}

export function answerBody(status: number, headers: Record<string, unknown>, payload: string | Buffer): Buffer {
  const head = json({ h: headers });
  const start = Buffer.alloc(6);
  start.writeUInt16BE(status, 0);
  start.writeUInt32BE(head.length, 2);
  return Buffer.concat([start, head, Buffer.from(payload)]);
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
