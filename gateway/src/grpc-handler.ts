import type { IncomingMessage, ServerResponse } from "node:http";
import { collectBody } from "./body.ts";
import {
  bodyTooLarge,
  deadlineExceeded,
  gatewayBusy,
  grpcMessageBroken,
  grpcMessageUnsupported,
  grpcServiceMissing,
  methodNotAllowed,
  type Refusal,
  routesUnreadable,
  serviceNotFound,
} from "./gateway-errors.ts";
import { GRPC_CONTENT_TYPE, GrpcCaller } from "./grpc-caller.ts";
import { PREFIX_BYTES, readUnary, timeoutMs } from "./grpc-message.ts";
import { passedHeaders, requestIdOf } from "./request-head.ts";
import type { RoutedService, RouteTable } from "./route-table.ts";
import { ScoringCall } from "./scoring-call.ts";
import { admission, type Traffic } from "./scoring-handler.ts";

/** Other suffixes (`+json`) name other formats: no scorer reads them. */
const CONTENT_TYPE = /^application\/grpc(\+proto)?(;|$)/;

export function isGrpc({ headers, httpVersionMajor }: IncomingMessage): boolean {
  return httpVersionMajor === 2 && CONTENT_TYPE.test(headers["content-type"] ?? "");
}

/**
 * Answers one unary gRPC call. Its framing ends here: the scorer gets a REQUEST frame with the gRPC path and the raw message, and
 * gives back `grpc-status` and `grpc-message` (plain text) as headers, and the raw message, in one RESPONSE frame.
 */
export function handleGrpc(traffic: Traffic, request: IncomingMessage, response: ServerResponse): void {
  const sinceMs = performance.now();
  const requestId = requestIdOf(request);
  const caller = new GrpcCaller(request, response, requestId);
  const service = find(traffic.table(), request);
  if ("status" in service) {
    traffic.unrouted.refused(service.code);
    caller.refuse(service);
    return;
  }
  const { route, metrics } = service;
  const refuse = (refusal: Refusal): void => {
    metrics.refused(refusal.code);
    caller.refuse(refusal);
  };
  const refusal = admission(service, request);
  if (refusal !== undefined) {
    refuse(refusal);
    return;
  }
  let giveUp = refuse;
  limitByDeadline(request, response, (waitMs) => giveUp(deadlineExceeded(route.name, waitMs)));
  collectBody(request, response, route.maxBodyBytes + PREFIX_BYTES, traffic.bodies, (body) => {
    if (response.headersSent) return;
    if (body.kind !== "whole") {
      refuse(body.kind === "tooLarge" ? bodyTooLarge(route.name, route.maxBodyBytes) : gatewayBusy());
      return;
    }
    const message = readUnary(body.parts);
    if (message.kind !== "message") {
      refuse(message.kind === "broken" ? grpcMessageBroken() : grpcMessageUnsupported(message.kind));
      return;
    }
    const headers = passedHeaders(request, requestId, body.bytes - PREFIX_BYTES);
    headers["content-type"] = GRPC_CONTENT_TYPE;
    const head = { m: "POST", p: request.url ?? "/", h: headers, i: requestId };
    const call = new ScoringCall({ service, caller, sinceMs, head, body: message.payload, log: traffic.log });
    giveUp = (over) => call.giveUp(over);
  });
}

/** The path of a gRPC call names a method, so the service is named by metadata. */
function find(table: RouteTable | undefined, request: IncomingMessage): RoutedService | Refusal {
  if (request.method !== "POST") return methodNotAllowed(request.method ?? "");
  if (table === undefined) return routesUnreadable();
  const { "x-ms-aml-grpc-service-route": path, "x-slipway-service": name } = request.headers;
  const named = path ?? name;
  if (typeof named !== "string") return grpcServiceMissing();
  const basePath = named.startsWith("/") ? named : `/api/v1/service/${named}`;
  return table.services.get(basePath) ?? serviceNotFound(basePath);
}

/** `grpc-timeout` counts from the moment when the call came, whatever it waits for. */
function limitByDeadline(request: IncomingMessage, response: ServerResponse, over: (waitMs: number) => void): void {
  const waitMs = timeoutMs(request.headers["grpc-timeout"]?.toString());
  if (waitMs === undefined) return;
  const timer = setTimeout(over, waitMs, waitMs);
  response.once("close", () => clearTimeout(timer));
}
