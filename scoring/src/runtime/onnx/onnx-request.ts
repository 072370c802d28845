import type { AnswerSink, ScoringRequest } from "../../exchange.ts";
import type { ModelCall } from "../../protocol/model-call.ts";
import { JSON_LENGTH_HEADER } from "../../protocol/open-inference-json.ts";
import type { LoadedModel, OnnxJob } from "./onnx-message.ts";
import type { ModelCosts } from "./warm-up.ts";

/** A request that waits, or is in work. */
export interface Pending {
  readonly id: number;
  readonly request: ScoringRequest;
  readonly call: ModelCall;
  readonly sink: AnswerSink;
  readonly arrivedAt: number;
}

/** Beside the names that paths and bodies have, `?model=NAME` chooses among several. */
export function withModelOfQuery({ head }: ScoringRequest, call: ModelCall): ModelCall {
  if (call.model !== undefined || head.q === undefined) return call;
  const asked = new URLSearchParams(head.q).get("model");
  return asked === null ? call : { ...call, model: asked };
}

/** Of a body that names its model itself. */
const UNKNOWN_COSTS: ModelCosts = { singleMs: undefined, maxRows: 1, fixedMs: 0 };

export function costsOf(models: readonly LoadedModel[], { model }: ModelCall): ModelCosts {
  const named = models.find(({ schema }) => schema.name === model) ?? (models.length === 1 ? models[0] : undefined);
  return named?.costs ?? UNKNOWN_COSTS;
}

export function jobOf({ id, call, request }: Pending): OnnxJob {
  const { h } = request.head;
  return {
    id,
    form: call.form,
    model: call.model,
    contentType: h["content-type"],
    accept: h.accept,
    jsonLength: h[JSON_LENGTH_HEADER],
    payload: request.payload,
  };
}
