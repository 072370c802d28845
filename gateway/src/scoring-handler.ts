import type { IncomingMessage, ServerResponse } from "node:http";
import { refuseEarly, writeRefusal } from "./answer-writer.ts";
import { announcedBytes, type BodyBudget, collectBody } from "./body.ts";
import { allowPreflight, corsHeaders, isPreflight } from "./cors.ts";
import {
  badRequestTarget,
  bodyTooLarge,
  gatewayBusy,
  methodNotAllowed,
  originNotAllowed,
  type Refusal,
  routesUnreadable,
  serviceNotFound,
} from "./gateway-errors.ts";
import { HttpCaller } from "./http-caller.ts";
import type { Log } from "./log.ts";
import { passedHeaders, requestIdOf, requestTarget } from "./request-head.ts";
import type { RoutedService, RouteTable } from "./route-table.ts";
import { ScoringCall } from "./scoring-call.ts";
import type { ServiceMetrics } from "./service-metrics.ts";

const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

export interface Traffic {
  /** the routes in force; `undefined` while there are none that can be used */
  readonly table: () => RouteTable | undefined;
  readonly closing: () => boolean;
  readonly bodies: BodyBudget;
  readonly log: Log;
  /** refusals of requests that found no service */
  readonly unrouted: ServiceMetrics;
  /** opens `/metrics` to other machines */
  readonly metricsKey: string;
}

/**
 * Answers one request: route, credential, limits, body, then the queue of its service. Everything that can be refused by
 * the head is refused before the body is read.
 *
 * @param awaitsContinue the caller sends the body only when told to (`Expect: 100-continue`)
 */
export function handleScoring(
  traffic: Traffic,
  request: IncomingMessage,
  response: ServerResponse,
  awaitsContinue: boolean,
): void {
  const sinceMs = performance.now();
  const requestId = requestIdOf(request);
  const refuse = (refusal: Refusal, cors: readonly string[] = []) => {
    if (!awaitsContinue || request.httpVersionMajor > 1) refuseEarly(request, response, requestId, refusal, [...cors]);
    else writeRefusal(response, requestId, refusal, [...cors, "connection", "close"]);
  };
  const found = find(traffic.table(), request);
  if ("status" in found) {
    traffic.unrouted.refused(found.code);
    refuse(found);
    return;
  }
  const { service, path, query } = found;
  const { route, metrics } = service;
  const cors = corsHeaders(route, request);
  const preflight = isPreflight(route, request);
  const refusal = preflight ? preflightRefusal(service, request, cors) : admission(service, request);
  if (refusal !== undefined) {
    metrics.refused(refusal.code);
    refuse(refusal, cors);
    return;
  }
  if (preflight) {
    allowPreflight(request, response, requestId, cors);
    return;
  }
  if (awaitsContinue) response.writeContinue();
  collectBody(request, response, route.maxBodyBytes, traffic.bodies, (body) => {
    if (body.kind !== "whole") {
      const refusal = body.kind === "tooLarge" ? bodyTooLarge(route.name, route.maxBodyBytes) : gatewayBusy();
      metrics.refused(refusal.code);
      refuseEarly(request, response, requestId, refusal, [...cors]);
      return;
    }
    const head = {
      m: request.method ?? "GET",
      p: path,
      ...(query === "" ? {} : { q: query }),
      h: passedHeaders(request, requestId, body.bytes),
      i: requestId,
    };
    const caller = new HttpCaller(response, requestId, cors, traffic.closing);
    new ScoringCall({ service, caller, sinceMs, head, body: body.parts, log: traffic.log });
  });
}

interface Found {
  readonly service: RoutedService;
  readonly path: string;
  readonly query: string;
}

function find(table: RouteTable | undefined, request: IncomingMessage): Found | Refusal {
  const method = request.method ?? "";
  if (!METHODS.has(method)) return methodNotAllowed(method);
  const target = requestTarget(request.url ?? "");
  if (target === undefined) return badRequestTarget();
  if (table === undefined) return routesUnreadable();
  const found = table.find(target.path);
  if (found === undefined) return serviceNotFound(target.path);
  return { service: found.service, path: found.rest, query: target.query };
}

/** A preflight carries no credential: only its origin decides. */
function preflightRefusal(
  { route }: RoutedService,
  request: IncomingMessage,
  cors: readonly string[],
): Refusal | undefined {
  return cors.length > 0 ? undefined : originNotAllowed(route.name, request.headers.origin ?? "");
}

/** Why a request may not come in, as far as its head tells. */
export function admission(service: RoutedService, request: IncomingMessage): Refusal | undefined {
  const { route, authorize, queue } = service;
  const forbidden = authorize(request.headers.authorization, request.socket.remoteAddress);
  if (forbidden !== undefined) return forbidden;
  if (announcedBytes(request) > route.maxBodyBytes) return bodyTooLarge(route.name, route.maxBodyBytes);
  return queue.fullness();
}
