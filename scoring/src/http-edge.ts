import { randomUUID } from "node:crypto";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Cause, ScorerConfig, ScorerState } from "@slipway/api";
import { FrameKind, type RequestHead } from "@slipway/api/frames";
import { type AnswerSink, answerCause, type RequestHandler, type ScoringRequest } from "./exchange.ts";
import { asBuffer, decodeResponse, encodeRequest } from "./frame-message.ts";
import { listen, listenOnSocket } from "./listening-socket.ts";
import { answerNotHttp, bodyTooLarge } from "./scorer-errors.ts";

// An import would read every export, and the one of WebSocket loads a whole HTTP client: a quarter of a scorer's start.
const { createServer } = process.getBuiltinModule("node:http");

export interface HttpEdge {
  /** no new connections; the open ones may finish */
  stopAccepting(): void;
  /** Lets answers reach their callers, for two seconds. */
  close(): Promise<void>;
}

/** The default of 5 s makes callers meet closed connections that were idle for a moment. */
const KEEP_ALIVE_MS = 75_000;
const NOT_FORWARDED = new Set([
  "connection",
  "keep-alive",
  "transfer-encoding",
  "te",
  "trailer",
  "upgrade",
  "authorization",
]);
/** Small answers go out with their head in one write, which a string does and a buffer does not. */
const ONE_WRITE_BYTES = 64 * 1024;
const MAX_UNREAD_STREAM_BYTES = 64 * 1024 * 1024;
/** As at the gateway: nothing that could do harm in a log or a header. */
const REQUEST_ID = /^[\w.:+/=-]{1,128}$/;
const DISCARD_MS = 10_000;
const STATE_WAIT_MS = 1_000;
const STATE_CHECK_MS = 10;
const CLOSE_MS = 2_000;
const CLOSE_CHECK_MS = 10;

/** Milliseconds that a caller may take for the head, and for head and body; as at the gateway. */
export interface Patience {
  readonly headMs: number;
  readonly requestMs: number;
  /** how often both are looked at */
  readonly checkMs: number;
}

const PATIENCE: Patience = { headMs: 15_000, requestMs: 300_000, checkMs: 5_000 };

export interface HttpRefusal {
  readonly status: number;
  readonly cause: Cause;
}

/** Why a caller may not ask this, by the head of the request; nothing when it may. */
export type Admit = (request: IncomingMessage) => HttpRefusal | undefined;

export interface HttpAnswers {
  readonly handle: RequestHandler;
  state(): ScorerState;
  readonly admit: Admit | undefined;
}

type HttpConfig = Pick<ScorerConfig, "maxBodyBytes" | "httpPort"> & Partial<Pick<ScorerConfig, "httpSocket">>;

/** The HTTP listener: for probes, for the target's questions, and for use without a gateway. */
export async function listenForHttp(
  config: HttpConfig,
  { handle, state, admit }: HttpAnswers,
  patience: Patience = PATIENCE,
): Promise<HttpEdge> {
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    const refusal = admit?.(request);
    if (refusal !== undefined) refuse(request, response, refusal);
    else if (request.url === "/_slipway/state" && request.method === "GET") void sendState(request, response, state);
    else void serve(request, response, config.maxBodyBytes, handle);
  };
  const options = {
    keepAliveTimeout: KEEP_ALIVE_MS,
    headersTimeout: patience.headMs,
    requestTimeout: patience.requestMs,
    connectionsCheckingInterval: patience.checkMs,
  };
  const servers: Server[] = [];
  if (config.httpSocket !== undefined) {
    const onSocket = createServer(options, listener);
    await listenOnSocket(onSocket, config.httpSocket);
    servers.push(onSocket);
  }
  if (config.httpPort !== undefined) {
    const onPort = createServer(options, listener);
    await listen(onPort, { port: config.httpPort });
    servers.push(onPort);
  }
  return {
    stopAccepting() {
      for (const server of servers) {
        server.close();
        server.closeIdleConnections();
      }
    },
    async close() {
      const deadline = performance.now() + CLOSE_MS;
      for (const server of servers) {
        while ((await openConnections(server)) > 0 && performance.now() < deadline) {
          server.closeIdleConnections();
          await new Promise((resolve) => setTimeout(resolve, CLOSE_CHECK_MS));
        }
        server.closeAllConnections();
      }
    },
  };
}

function openConnections(server: Server): Promise<number> {
  return new Promise((resolve) => server.getConnections((_, count) => resolve(count ?? 0)));
}

/** With `Prefer: wait=1` (RFC 7240) the answer comes when the start is over, or after that second: nobody has to ask all the time. */
async function sendState(request: IncomingMessage, response: ServerResponse, state: () => ScorerState): Promise<void> {
  const until = performance.now() + (request.headers.prefer === "wait=1" ? STATE_WAIT_MS : 0);
  while (state().phase === "starting" && performance.now() < until && !response.destroyed) {
    await new Promise((resolve) => setTimeout(resolve, STATE_CHECK_MS));
  }
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(state()));
}

function refuse(request: IncomingMessage, response: ServerResponse, { status, cause }: HttpRefusal): void {
  const head = requestHead(request);
  answerCause(answerTo(response, head), status, cause, { requestId: head.i });
  discardRest(request);
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  maxBodyBytes: number,
  handle: RequestHandler,
): Promise<void> {
  const head = requestHead(request);
  const sink = answerTo(response, head);
  const payload = await readBody(request, maxBodyBytes);
  if (payload === "too large") {
    answerCause(sink, 413, bodyTooLarge(maxBodyBytes), { requestId: head.i });
    discardRest(request);
    return;
  }
  if (payload === "gone") return;
  const cancel = handle(new CollectedRequest(head, payload), sink);
  response.on("close", () => {
    if (!response.writableFinished) cancel();
  });
}

/**
 * A class for its getter: one in an object literal gives each object a hidden class of its own, which lives in the old generation and
 * keeps the whole request alive until the next full collection.
 */
class CollectedRequest implements ScoringRequest {
  readonly head: RequestHead;
  readonly payload: Buffer;

  constructor(head: RequestHead, payload: Buffer) {
    this.head = head;
    this.payload = payload;
  }

  /** Models that need no other process never ask for it: a copy saved. */
  get body(): Buffer {
    return encodeRequest(this.head, this.payload);
  }
}

function requestHead(request: IncomingMessage): RequestHead {
  const url = request.url ?? "/";
  const mark = url.indexOf("?");
  const headers: Record<string, string> = {};
  for (const name in request.headers) {
    const value = request.headers[name];
    if (value !== undefined && !NOT_FORWARDED.has(name))
      headers[name] = typeof value === "string" ? value : value.join(", ");
  }
  const given = headers["x-request-id"] ?? headers["x-ms-client-request-id"];
  return {
    m: request.method ?? "GET",
    p: mark < 0 ? url : url.slice(0, mark),
    ...(mark >= 0 && mark + 1 < url.length && { q: url.slice(mark + 1) }),
    h: headers,
    i: given !== undefined && REQUEST_ID.test(given) ? given : randomUUID(),
  };
}

async function readBody(request: IncomingMessage, limit: number): Promise<Buffer | "too large" | "gone"> {
  if (Number(request.headers["content-length"] ?? 0) > limit) return "too large";
  const chunks: Buffer[] = [];
  let bytes = 0;
  return new Promise((resolve) => {
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > limit) resolve("too large");
      else chunks.push(chunk);
    });
    request.on("end", () =>
      resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)),
    );
    request.on("error", () => resolve("gone"));
    request.on("close", () => resolve("gone"));
  });
}

/** A connection closed while the caller still sends would hide the answer from it. So its rest is read, for a while. */
function discardRest(request: IncomingMessage): void {
  const impatient = setTimeout(() => request.destroy(), DISCARD_MS);
  request.on("close", () => clearTimeout(impatient));
  request.resume();
}

/** Writes the frames of an answer as an HTTP response. */
function answerTo(response: ServerResponse, { m, i }: RequestHead): AnswerSink {
  const write = writerOf(response, m === "HEAD", i);
  return (kind, body, taken) => {
    if (response.destroyed) return;
    try {
      write(kind, body, taken);
    } catch (error) {
      // Status and headers can be the script's own choice, and Node refuses what HTTP does not allow.
      if (response.headersSent) response.destroy();
      else answerCause(write, 424, answerNotHttp(error), { runFailed: true });
    }
  };
}

function writerOf(response: ServerResponse, headOnly: boolean, requestId: string): AnswerSink {
  return (kind, body, taken) => {
    switch (kind) {
      case FrameKind.RESPONSE: {
        const { status, head, payload } = decodeResponse(body);
        response.writeHead(status, [...flat(head.h, requestId), "content-length", String(payload.length)]);
        if (headOnly) response.end();
        else if (payload.length <= ONE_WRITE_BYTES) response.end(payload.toString("latin1"), "latin1");
        else response.end(payload);
        return;
      }
      case FrameKind.STREAM: {
        const { status, head, payload } = decodeResponse(body);
        response.writeHead(status, flat(head.h, requestId));
        response.flushHeaders();
        if (payload.length > 0) response.write(payload);
        return;
      }
      case FrameKind.DATA:
        if (response.writableLength > MAX_UNREAD_STREAM_BYTES) response.destroy();
        else response.write(asBuffer(body), taken);
        return;
      case FrameKind.END:
        // A body that just ends would look whole: the connection breaks, so that the caller notices.
        if (body.length > 0) response.destroy();
        else response.end();
        return;
      default:
        return;
    }
  };
}

function flat(headers: Readonly<Record<string, string>>, requestId: string): string[] {
  const flat = Object.entries(headers)
    .filter(([name]) => name !== "content-length" && name !== "x-request-id" && !NOT_FORWARDED.has(name))
    .flat();
  flat.push("x-request-id", requestId);
  return flat;
}
