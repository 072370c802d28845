import type { IncomingMessage, ServerResponse } from "node:http";
import { refuseEarly, writeRefusal } from "./answer-writer.ts";
import { announcedBytes, type BodyBudget, collectBody } from "./body.ts";
import {
  badRequestTarget,
  bodyTooLarge,
  gatewayBusy,
  methodNotAllowed,
  type Refusal,
  routesUnreadable,
  serviceNotFound,
} from "./gateway-errors.ts";
import type { Log } from "./log.ts";
import { passedHeaders, requestIdOf, requestTarget } from "./request-head.ts";
import type { RoutedService, RouteTable } from "./route-table.ts";
import { ScoringCall } from "./scoring-call.ts";

const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

export interface Traffic {
  /** the routes in force; `undefined` while there are none that can be used */
  readonly table: () => RouteTable | undefined;
  readonly closing: () => boolean;
  readonly bodies: BodyBudget;
  readonly log: Log;
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
  const requestId = requestIdOf(request);
  const decided = decide(traffic.table(), request);
  if ("status" in decided) {
    if (awaitsContinue) writeRefusal(response, requestId, decided, ["connection", "close"]);
    else refuseEarly(request, response, requestId, decided);
    return;
  }
  const { service, path, query } = decided;
  const { route, queue } = service;
  const { closing, log } = traffic;
  if (awaitsContinue) response.writeContinue();
  collectBody(request, response, route.maxBodyBytes, traffic.bodies, (body) => {
    if (body.kind !== "whole") {
      const refusal = body.kind === "tooLarge" ? bodyTooLarge(route.name, route.maxBodyBytes) : gatewayBusy();
      refuseEarly(request, response, requestId, refusal);
      return;
    }
    const head = {
      m: request.method ?? "GET",
      p: path,
      ...(query === "" ? {} : { q: query }),
      h: passedHeaders(request, requestId, body.bytes),
      i: requestId,
    };
    new ScoringCall({ route, queue, response, head, body: body.parts, closing, log });
  });
}

interface Accepted {
  readonly service: RoutedService;
  readonly path: string;
  readonly query: string;
}

function decide(table: RouteTable | undefined, request: IncomingMessage): Accepted | Refusal {
  const method = request.method ?? "";
  if (!METHODS.has(method)) return methodNotAllowed(method);
  const target = requestTarget(request.url ?? "");
  if (target === undefined) return badRequestTarget();
  if (table === undefined) return routesUnreadable();
  const found = table.find(target.path);
  if (found === undefined) return serviceNotFound(target.path);
  const { route, authorize, queue } = found.service;
  const forbidden = authorize(request.headers.authorization, request.socket.remoteAddress);
  if (forbidden !== undefined) return forbidden;
  if (announcedBytes(request) > route.maxBodyBytes) return bodyTooLarge(route.name, route.maxBodyBytes);
  return queue.fullness() ?? { service: found.service, path: found.rest, query: target.query };
}
