import { hash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { type MetricFamily, PROMETHEUS_CONTENT_TYPE, processFamilies, prometheusText } from "@slipway/api";
import { refuseEarly, writeRefusal } from "./answer-writer.ts";
import { bearerOf, isLoopback } from "./credential.ts";
import { internalError, methodNotAllowed, metricsForbidden } from "./gateway-errors.ts";
import { replicaFamilies } from "./replica-families.ts";
import { requestIdOf } from "./request-head.ts";
import type { RouteTable } from "./route-table.ts";
import type { Traffic } from "./scoring-handler.ts";
import { serviceFamilies } from "./service-families.ts";

export function isMetrics({ url }: IncomingMessage): boolean {
  return url === "/metrics" || url?.startsWith("/metrics?") === true;
}

/** `GET /metrics` for Prometheus: for this machine, and for who has the key. */
export function handleMetrics(traffic: Traffic, request: IncomingMessage, response: ServerResponse): void {
  const requestId = requestIdOf(request);
  if (request.method !== "GET" && request.method !== "HEAD") {
    refuseEarly(request, response, requestId, methodNotAllowed(request.method ?? ""));
    return;
  }
  if (!mayReadMetrics(traffic.metricsKey, request.socket.remoteAddress, request.headers.authorization)) {
    refuseEarly(request, response, requestId, metricsForbidden());
    return;
  }
  metricsText(traffic).then(
    (text) => {
      response.writeHead(200, ["content-type", PROMETHEUS_CONTENT_TYPE]);
      response.end(request.method === "HEAD" ? "" : text);
    },
    (error: unknown) => {
      traffic.log.error("metrics failed", { request: requestId, cause: String(error) });
      writeRefusal(response, requestId, internalError(requestId));
    },
  );
}

async function metricsText({ table, unrouted }: Traffic): Promise<string> {
  const routes = table();
  const services = [...(routes?.services.values() ?? [])];
  const families = [...serviceFamilies(services, unrouted), ...(await replicaFamilies(services))];
  return prometheusText([...families, ...gatewayFamilies(routes)]);
}

function gatewayFamilies(table: RouteTable | undefined): MetricFamily[] {
  const { user, system } = process.cpuUsage();
  const startedAt = performance.timeOrigin / 1000;
  const usage = { residentBytes: process.memoryUsage.rss(), cpuSeconds: (user + system) / 1e6, startedAt };
  return [
    {
      name: "slipway_routes_version",
      type: "gauge",
      help: "Version of the routes in force; 0 without routes.",
      samples: [{ labels: {}, value: table?.version ?? 0 }],
    },
    ...processFamilies(usage, "the gateway"),
  ];
}

export function mayReadMetrics(key: string, peer: string | undefined, authorization: string | undefined): boolean {
  if (isLoopback(peer)) return true;
  const given = bearerOf(authorization);
  const digest = (text: string) => hash("sha256", text, "buffer");
  return given !== undefined && timingSafeEqual(digest(given), digest(key));
}
