import type { IncomingMessage, ServerOptions, ServerResponse } from "node:http";
import {
  createSecureServer,
  type Http2SecureServer,
  type SecureServerOptions,
  type ServerHttp2Session,
} from "node:http2";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { SecureContext } from "node:tls";
import type { CertificatePair } from "./certificate.ts";
import { handleGrpc, isGrpc } from "./grpc-handler.ts";
import { handleMetrics, isMetrics } from "./metrics-handler.ts";
import { handleScoring, type Traffic } from "./scoring-handler.ts";

/** How long callers may take, in milliseconds. */
export interface Patience {
  /** between two requests of a connection */
  readonly keepAliveMs: number;
  readonly handshakeMs: number;
  readonly headMs: number;
  /** head and body */
  readonly requestMs: number;
  /** how often it is looked for callers who take longer */
  readonly checkMs: number;
}

const PATIENCE: Patience = {
  // Node's 5 s make idle clients meet resets; load balancers and SDKs keep connections for about a minute.
  keepAliveMs: 75_000,
  // Whoever needs longer for a handshake or a head holds a connection on purpose.
  handshakeMs: 10_000,
  headMs: 15_000,
  // A large body over a slow line takes its time.
  requestMs: 300_000,
  checkMs: 5_000,
};

/** HTTP/2 on the same port, for gRPC and whoever else asks for it by ALPN. */
const HTTP2: SecureServerOptions = {
  allowHTTP1: true,
  // One connection's share; beyond it its requests wait at the caller.
  settings: { maxConcurrentStreams: 1000, initialWindowSize: 1024 * 1024 },
  // Megabytes of what is queued for a connection; Node's 10 would refuse streams beside one large answer.
  maxSessionMemory: 256,
};

/** The HTTPS listener, not listening yet. */
export function createEdge(
  pair: CertificatePair,
  traffic: Traffic,
  contextFor: (host: string) => SecureContext | undefined,
  patience: Patience = PATIENCE,
): Http2SecureServer {
  const limits: ServerOptions = {
    keepAliveTimeout: patience.keepAliveMs,
    headersTimeout: patience.headMs,
    requestTimeout: patience.requestMs,
    connectionsCheckingInterval: patience.checkMs,
  };
  const server = createSecureServer({
    ...limits,
    ...HTTP2,
    ...pair,
    handshakeTimeout: patience.handshakeMs,
    // Unlike node:http, this kind of server leaves it off: the first answer of a connection then waits 40 ms for the caller's
    // delayed acknowledgement of the session tickets.
    noDelay: true,
    SNICallback: (host, done) => done(null, contextFor(host)),
  });
  const handle = (awaitsContinue: boolean) => (incoming: unknown, outgoing: unknown) => {
    // Node's compatibility API: over HTTP/2 the two are shaped like those of HTTP/1.1.
    const request = incoming as IncomingMessage;
    const response = outgoing as ServerResponse;
    if (request.httpVersionMajor > 1) limitTime(request, patience);
    if (isMetrics(request)) handleMetrics(traffic, request, response);
    else if (isGrpc(request)) handleGrpc(traffic, request, response);
    else handleScoring(traffic, request, response, awaitsContinue);
  };
  server.on("request", handle(false));
  server.on("checkContinue", handle(true));
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Duplex) => refuseUnparsed(error, socket, patience));
  // Ends when its last stream has; a caller that wants more opens another connection.
  server.on("session", (session: ServerHttp2Session) =>
    session.setTimeout(patience.keepAliveMs, () => session.close()),
  );
  return server;
}

/** HTTP/1.1 has this by `requestTimeout`. */
function limitTime(request: IncomingMessage, { requestMs }: Patience): void {
  const timer = setTimeout(() => request.destroy(), requestMs);
  request.once("end", () => clearTimeout(timer)).once("close", () => clearTimeout(timer));
}

/** Ends every connection, also those that are still in their handshake: `closeAllConnections` does not know them. */
export function connectionEnder(server: Http2SecureServer): () => void {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  return () => {
    for (const socket of sockets) socket.destroy();
  };
}

/** What the parser refuses never becomes a request: malformed heads, both length headers at once, too slow or too long heads. */
function refuseUnparsed(error: NodeJS.ErrnoException, socket: Duplex, patience: Patience): void {
  const fromParser = error.code?.startsWith("HPE_") || error.code === "ERR_HTTP_REQUEST_TIMEOUT";
  if (!socket.writable || !fromParser) {
    socket.destroy();
    return;
  }
  const { status, code, message } = refusalOf(error.code, patience);
  const body = JSON.stringify({ error: { code, message } });
  socket.end(
    `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}

function refusalOf(
  code: string | undefined,
  { headMs, requestMs }: Patience,
): { status: string; code: string; message: string } {
  switch (code) {
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return {
        status: "408 Request Timeout",
        code: "RequestTooSlow",
        message: `The head of a request must be here within ${headMs / 1000} s, its body within ${requestMs / 1000} s.`,
      };
    case "HPE_HEADER_OVERFLOW":
      return {
        status: "431 Request Header Fields Too Large",
        code: "HeadTooLarge",
        message: "The request head is larger than 16 KiB.",
      };
    default:
      return {
        status: "400 Bad Request",
        code: "BadRequest",
        message: `This is no HTTP/1.1 request that can be trusted (${code ?? "unknown"}).`,
      };
  }
}
