import type { IncomingMessage, ServerResponse } from "node:http";
import { constants, type Http2ServerRequest } from "node:http2";
import type { EnvelopedError } from "@slipway/api";
import type { Refusal } from "./gateway-errors.ts";

/** A body up to this size leaves in one write with its head; Node joins the two only for strings (spikes: 1.3 × faster). */
const JOIN_BELOW_BYTES = 16 * 1024;
/** What may follow unread while the connection stays open. */
const DUMPED_BYTES = 1024 * 1024;
/** How long the rest of a refused body is read, so that the caller can read the refusal instead of meeting a reset. */
const LINGER_MS = 30_000;

export function hasNoBody(status: number, method: string | undefined): boolean {
  return method === "HEAD" || status === 204 || status === 304;
}

export function writeAnswer(response: ServerResponse, status: number, headers: string[], payload: Buffer): void {
  if (hasNoBody(status, response.req.method)) {
    if (payload.length > 0 && status !== 204) headers.push("content-length", String(payload.length));
    response.writeHead(status, headers).end();
    return;
  }
  headers.push("content-length", String(payload.length));
  response.writeHead(status, headers);
  if (payload.length > JOIN_BELOW_BYTES) response.end(payload);
  else response.end(payload.toString("latin1"), "latin1");
}

export function writeRefusal(response: ServerResponse, requestId: string, refusal: Refusal, more: string[] = []): void {
  const body = refusalBody(response, requestId, refusal);
  writeAnswer(response, refusal.status, refusalHeaders(requestId, refusal, more), body);
}

/** Refuses a request whose body has not been read (to its end). */
export function refuseEarly(
  request: IncomingMessage,
  response: ServerResponse,
  id: string,
  refusal: Refusal,
  more: string[] = [],
): void {
  if (request.httpVersionMajor > 1) {
    endStream(request, response);
    writeRefusal(response, id, refusal, more);
    return;
  }
  const announced =
    request.headers["transfer-encoding"] === undefined ? Number(request.headers["content-length"] ?? 0) : Infinity;
  if (request.complete || announced <= DUMPED_BYTES) {
    writeRefusal(response, id, refusal, more);
    return;
  }
  const body = refusalBody(response, id, refusal);
  response.writeHead(refusal.status, [
    ...refusalHeaders(id, refusal, [...more, "connection", "close"]),
    "content-length",
    String(body.length),
  ]);
  response.write(body);
  const timer = setTimeout(() => request.destroy(), LINGER_MS);
  request.once("end", () => response.end());
  request.once("close", () => clearTimeout(timer));
  request.resume();
}

/** RFC 9113, section 8.1: the whole answer is there, so the rest of the body need not come. Its connection serves others. */
export function endStream(request: IncomingMessage, response: ServerResponse): void {
  const { stream } = request as unknown as Http2ServerRequest;
  response.once("finish", () => {
    if (!request.complete) stream.close(constants.NGHTTP2_NO_ERROR);
  });
}

function refusalHeaders(requestId: string, refusal: Refusal, more: readonly string[]): string[] {
  return ["content-type", "application/json", "x-request-id", requestId, ...(refusal.headers ?? []), ...more];
}

/** Paths of the Open Inference Protocol: its clients (tritonclient) fail on an `error` that is no text. */
const OPEN_INFERENCE = /^(?:\/w\/[^/]+)?\/api\/v1\/service\/[^/]+\/v2(?:[/?]|$)/;

function refusalBody(response: ServerResponse, requestId: string, { code, message }: Refusal): Buffer {
  const correlation = { RequestId: requestId };
  if (OPEN_INFERENCE.test(response.req.url ?? ""))
    return Buffer.from(JSON.stringify({ error: message, code, correlation }));
  const body: EnvelopedError = { error: { code, message }, correlation };
  return Buffer.from(JSON.stringify(body));
}
