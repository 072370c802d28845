import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { CONNECTION_HEADERS } from "./connection-headers.ts";
import { isTraceparent, newTraceparent } from "./trace-context.ts";

/** Of the connection, or secret, or answered here. */
const NOT_PASSED = new Set([...CONNECTION_HEADERS, "authorization", "expect", "proxy-authorization"]);

/** The caller's id if it is one that is safe in logs and headers, else a new one. */
export function requestIdOf(request: IncomingMessage): string {
  const given = request.headers["x-request-id"];
  return typeof given === "string" && /^[\w.:+/=-]{1,128}$/.test(given) ? given : randomUUID();
}

/** What the replica gets to see; `content-length` is that of the collected body. */
export function passedHeaders(request: IncomingMessage, requestId: string, bodyBytes: number): Record<string, string> {
  const headers: Record<string, string> = {};
  const named = request.headers.connection;
  const alsoOfConnection = named === undefined || isPlain(named) ? [] : named.toLowerCase().split(/[\s,]+/);
  for (const name in request.headers) {
    const value = request.headers[name];
    // HTTP/2 has its request line in headers whose names begin with a colon.
    if (value === undefined || name[0] === ":" || NOT_PASSED.has(name) || alsoOfConnection.includes(name)) continue;
    headers[name] = typeof value === "string" ? value : value.join(", ");
  }
  const authority = request.headers[":authority"];
  if (typeof authority === "string") headers.host ??= authority;
  if (bodyBytes > 0) headers["content-length"] = String(bodyBytes);
  headers["x-request-id"] = requestId;
  passTraceContext(headers, requestId);
  return headers;
}

/** The caller's trace goes on; without one, or with a broken one, a new trace begins. */
function passTraceContext(headers: Record<string, string>, requestId: string): void {
  if (headers.traceparent !== undefined && isTraceparent(headers.traceparent)) return;
  delete headers.tracestate;
  headers.traceparent = newTraceparent(requestId);
}

function isPlain(connection: string): boolean {
  return connection === "keep-alive" || connection === "close" || connection === "Keep-Alive";
}

export interface Target {
  readonly path: string;
  /** without `?`, empty when there is none */
  readonly query: string;
}

/** Takes the request target apart, also in its absolute form (RFC 9112, 3.2.2); `undefined` when it has no path. */
export function requestTarget(url: string): Target | undefined {
  const relative = url.startsWith("/") ? url : url.replace(/^https?:\/\/[^/?#]*(?=\/)/i, "");
  if (!relative.startsWith("/")) return undefined;
  const mark = relative.indexOf("?");
  return mark < 0 ? { path: relative, query: "" } : { path: relative.slice(0, mark), query: relative.slice(mark + 1) };
}
