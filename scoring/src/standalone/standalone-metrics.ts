import {
  DurationHistogram,
  FrameKind,
  type MetricFamily,
  PROMETHEUS_CONTENT_TYPE,
  processFamilies,
  prometheusText,
  type RequestOutcome,
  requestFamilies,
  type ScorerState,
  scorerFamilies,
} from "@slipway/api";
import { type AnswerSink, answerCause, type RequestHandler } from "../exchange.ts";
import { decodeResponse, encodeResponse } from "../frame-message.ts";
import { callOf } from "../protocol/model-call.ts";
import { methodNotAllowed } from "../scorer-errors.ts";
import { REVISION } from "./standalone-settings.ts";

/**
 * Counts the calls of models, and answers `GET /metrics` with the families that the gateway has, too: the same dashboard shows a
 * service wherever it runs.
 */
export function withMetrics(service: string, handle: RequestHandler, state: () => ScorerState): RequestHandler {
  const durations = new DurationHistogram();
  const outcomes = new Map<RequestOutcome, number>();
  const labels = { workspace: "", service, revision: REVISION };

  const text = () => {
    const scorer = state();
    const inFlight: MetricFamily = {
      name: "slipway_requests_in_flight",
      type: "gauge",
      help: "Requests that replicas work on.",
      samples: [{ labels: { workspace: "", service }, value: scorer.inFlight }],
    };
    return prometheusText([
      ...requestFamilies([{ labels, counts: { durations, outcomes } }]),
      inFlight,
      ...scorerFamilies([{ labels: { ...labels, replica: scorer.replicaId }, state: scorer }]),
      ...processFamilies(usage(), "the scorer", "the scorer, without its workers"),
    ]);
  };

  const counted = (sink: AnswerSink) => {
    const began = performance.now();
    let status: RequestOutcome | undefined;
    let over = false;
    const settle = (outcome: RequestOutcome) => {
      if (over) return;
      over = true;
      durations.observe((performance.now() - began) / 1000);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    };
    const counting: AnswerSink = (kind, body, taken) => {
      if (kind === FrameKind.RESPONSE) settle(decodeResponse(body).status);
      else if (kind === FrameKind.STREAM) status = decodeResponse(body).status;
      else if (kind === FrameKind.END) settle(body.length > 0 ? "broken" : (status ?? "broken"));
      sink(kind, body, taken);
    };
    return { counting, canceled: () => settle("canceled") };
  };

  return (request, sink) => {
    const { m: method, p: path } = request.head;
    if (path === "/metrics") {
      if (method !== "GET" && method !== "HEAD") answerCause(sink, 405, methodNotAllowed(method, path));
      else
        sink(FrameKind.RESPONSE, encodeResponse(200, { "content-type": PROMETHEUS_CONTENT_TYPE }, Buffer.from(text())));
      return () => {};
    }
    if (callOf(request.head)?.kind !== "model") return handle(request, sink);
    const { counting, canceled } = counted(sink);
    const cancel = handle(request, counting);
    return () => {
      canceled();
      cancel();
    };
  };
}

function usage() {
  const { user, system } = process.cpuUsage();
  const startedAt = performance.timeOrigin / 1000;
  return { residentBytes: process.memoryUsage.rss(), cpuSeconds: (user + system) / 1e6, startedAt };
}
