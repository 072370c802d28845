import type { IncomingMessage, ServerResponse } from "node:http";
import type { ServiceRoute } from "@slipway/api";

const METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
/** Also what browsers do not show to scripts unless told to. */
const EXPOSED = "x-request-id, x-ms-run-function-failed, retry-after";
/** The longest that browsers go by (Chromium: two hours). A change of the setting shows after this time at the latest. */
const PREFLIGHT_SECONDS = "600";
const NONE: readonly string[] = [];

/** What an answer to this request says about its origin, flat; empty for services without the setting and for origins that may not read it. */
export function corsHeaders(route: ServiceRoute, request: IncomingMessage): readonly string[] {
  const allowed =
    route.corsOrigins === undefined ? undefined : allowedOrigin(route.corsOrigins, request.headers.origin);
  if (allowed === undefined) return NONE;
  const headers = ["access-control-allow-origin", allowed, "access-control-expose-headers", EXPOSED];
  return allowed === "*" ? headers : [...headers, "vary", "origin, access-control-request-headers"];
}

/** Fetch standard, section 3.2.2: OPTIONS that asks whether a request may come. It carries no credential. */
export function isPreflight({ corsOrigins }: ServiceRoute, { method, headers }: IncomingMessage): boolean {
  return (
    corsOrigins !== undefined &&
    method === "OPTIONS" &&
    headers.origin !== undefined &&
    headers["access-control-request-method"] !== undefined
  );
}

/** @param cors what `corsHeaders` says: the origin is allowed */
export function allowPreflight(
  request: IncomingMessage,
  response: ServerResponse,
  requestId: string,
  cors: readonly string[],
): void {
  const wanted = request.headers["access-control-request-headers"];
  response.writeHead(204, [
    ...cors,
    "access-control-allow-methods",
    METHODS,
    ...(wanted === undefined ? [] : ["access-control-allow-headers", wanted]),
    "access-control-max-age",
    PREFLIGHT_SECONDS,
    "x-request-id",
    requestId,
  ]);
  response.end();
}

function allowedOrigin(origins: readonly string[], origin: string | undefined): string | undefined {
  if (origin === undefined) return undefined;
  if (origins.includes("*")) return "*";
  return origins.includes(origin) ? origin : undefined;
}
