import { readFileSync } from "node:fs";
import type { ScorerConfig, ScorerState } from "@slipway/api";
import {
  type AnswerSink,
  answerCause,
  answerJson,
  answerText,
  type RequestHandler,
  type ScoringRequest,
} from "./exchange.ts";
import { inForm } from "./protocol/answer-form.ts";
import { callOf, grpcQuestion, isGrpc, type ModelCall } from "./protocol/model-call.ts";
import type { ModelDescription } from "./protocol/open-inference.ts";
import { readModelName } from "./protocol/open-inference-protobuf.ts";
import { answerServerCall, findModel, namesOf } from "./protocol/server-answers.ts";
import {
  bodyTooLarge,
  contentEncodingUnsupported,
  grpcMethodNotFound,
  methodNotAllowed,
  modelNotFound,
  pathNotFound,
  stillStarting,
  swaggerVersionUnknown,
} from "./scorer-errors.ts";
import { InputError } from "./tensor/tensor.ts";

/** What stands behind the paths. */
export interface Replica {
  state(): ScorerState;
  models(): readonly ModelDescription[];
  swagger(): unknown;
  /** Answers once; the function returned tells that nobody waits any more. */
  score(request: ScoringRequest, call: ModelCall, sink: AnswerSink): () => void;
}

const KNOWN_PATHS: ReadonlySet<string> = new Set(["/swagger.json", "/ready", "/ping", "/"]);
const nobodyWaits = () => {};

/** Everything that a scorer answers, over whichever listener it came. */
export function requestHandler(
  config: Pick<ScorerConfig, "service" | "revision" | "maxBodyBytes">,
  replica: Replica,
): RequestHandler {
  const server = { name: "slipway", version: ownVersion(), extensions: ["binary_tensor_data"] };

  const knowledge = () => {
    const { phase, cause } = replica.state();
    return { server, service: config.service, ready: phase === "ready", cause, models: replica.models() };
  };

  const score = (request: ScoringRequest, call: ModelCall, sink: AnswerSink): (() => void) => {
    const inCallersForm = inForm(call.form, sink);
    const { i, h } = request.head;
    if (request.payload.length > config.maxBodyBytes) {
      answerCause(inCallersForm, 413, bodyTooLarge(config.maxBodyBytes), { requestId: i });
      return nobodyWaits;
    }
    if (call.form === "score" || call.form === "invocations") return replica.score(request, call, sink);
    const encoding = h["content-encoding"];
    if (encoding !== undefined && encoding !== "identity") {
      answerCause(inCallersForm, 415, contentEncodingUnsupported(encoding), { requestId: i });
      return nobodyWaits;
    }
    const models = replica.models();
    const model = findModel({ models, service: config.service }, call);
    if (models.length > 0 && model === undefined) {
      answerCause(inCallersForm, 404, modelNotFound(call, namesOf(models)), { requestId: i });
      return nobodyWaits;
    }
    return replica.score(request, { ...call, ...(model !== undefined && { model: model.name }) }, inCallersForm);
  };

  const answerGrpc = (request: ScoringRequest, sink: AnswerSink): (() => void) => {
    const failing = inForm("grpc", sink);
    const question = grpcQuestion(request.head.p);
    if (question === undefined) {
      answerCause(failing, 501, grpcMethodNotFound(request.head.p));
      return nobodyWaits;
    }
    try {
      const { name, version } = readModelName(request.payload);
      const named = { model: name, ...(version !== "" && { version }) };
      if (question === "infer") return score(request, { form: "grpc", ...named }, sink);
      answerServerCall({ question, ...named }, knowledge(), true, failing);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      answerCause(failing, 400, { code: error.code, message: error.message });
    }
    return nobodyWaits;
  };

  return (request, sink) => {
    const { head } = request;
    if (isGrpc(head)) return answerGrpc(request, sink);
    const call = callOf(head);
    switch (call?.kind) {
      case "model":
        return score(request, call.call, sink);
      case "server":
        answerServerCall(call.call, knowledge(), false, inForm("rest", sink));
        return nobodyWaits;
      case "methodNotAllowed":
        if (head.m === "OPTIONS" && head.p === "/score") answerText(sink, 200, "");
        else answerCause(sink, 405, methodNotAllowed(head.m, head.p));
        return nobodyWaits;
      case undefined:
        answerOther(request, replica, sink);
        return nobodyWaits;
    }
  };
}

function answerOther({ head }: ScoringRequest, replica: Replica, sink: AnswerSink): void {
  const { m: method, p: path, q: query } = head;
  if (!KNOWN_PATHS.has(path)) {
    answerCause(sink, 404, pathNotFound(path));
  } else if (method !== "GET" && method !== "HEAD") {
    answerCause(sink, 405, methodNotAllowed(method, path));
  } else if (path === "/") {
    answerText(sink, 200, "Healthy");
  } else if (path === "/swagger.json") {
    answerSwagger(sink, new URLSearchParams(query ?? "").get("version"), replica.swagger);
  } else {
    const { phase, cause } = replica.state();
    if (phase === "ready") answerText(sink, 200, "Ready");
    else answerCause(sink, 503, cause ?? stillStarting());
  }
}

function answerSwagger(sink: AnswerSink, version: string | null, document: () => unknown): void {
  if (version === null || version === "2" || version === "2.0") answerJson(sink, 200, document());
  else answerCause(sink, 404, swaggerVersionUnknown(version));
}

function ownVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  return String(Object(manifest).version);
}
