import type { Cause } from "@slipway/api";
import { FrameKind } from "@slipway/api/frames";
import { type AnswerSink, answerCause, answerJson } from "../exchange.ts";
import { encodeResponse } from "../frame-message.ts";
import { modelNotFound, stillStarting } from "../scorer-errors.ts";
import { GRPC_OK } from "./answer-form.ts";
import type { ServerCall } from "./model-call.ts";
import type { ModelDescription, ServerDescription } from "./open-inference.ts";
import { writeModelMessage, writeServerMessage, writeYesMessage } from "./open-inference-protobuf.ts";

/** What is known about this replica when somebody asks. */
export interface ServerKnowledge {
  readonly server: ServerDescription;
  readonly service: string;
  readonly ready: boolean;
  /** why it is not ready */
  readonly cause: Cause | undefined;
  /** none while it starts */
  readonly models: readonly ModelDescription[];
}

/** Answers every question of the Open Inference Protocol but inference itself. */
export function answerServerCall(call: ServerCall, known: ServerKnowledge, grpc: boolean, sink: AnswerSink): void {
  const message = (bytes: Uint8Array) => sink(FrameKind.RESPONSE, encodeResponse(200, GRPC_OK, bytes));
  switch (call.question) {
    case "live":
      if (grpc) message(writeYesMessage(true));
      else answerJson(sink, 200, { live: true });
      return;
    case "ready":
      if (grpc) message(writeYesMessage(known.ready));
      else if (known.ready) answerJson(sink, 200, { ready: true });
      else answerCause(sink, 503, known.cause ?? stillStarting());
      return;
    case "server":
      if (grpc) message(writeServerMessage(known.server));
      else answerJson(sink, 200, known.server);
      return;
    case "model":
    case "modelReady": {
      if (!known.ready) {
        if (grpc && call.question === "modelReady") message(writeYesMessage(false));
        else answerCause(sink, 503, known.cause ?? stillStarting());
        return;
      }
      const model = findModel(known, call);
      if (model === undefined) answerCause(sink, 404, modelNotFound(call, namesOf(known.models)));
      else if (call.question === "model") {
        if (grpc) message(writeModelMessage(model));
        else answerJson(sink, 200, model);
      } else if (grpc) message(writeYesMessage(true));
      else answerJson(sink, 200, { name: model.name, ready: true });
    }
  }
}

/** With their versions, for messages. */
export function namesOf(models: readonly ModelDescription[]): readonly string[] {
  return models.map(({ name, versions }) => `${name} (version ${versions.join(", ")})`);
}

/** A service of one model answers under the service's name, too, and without any. */
export function findModel(
  { models, service }: Pick<ServerKnowledge, "models" | "service">,
  { model, version }: { readonly model?: string; readonly version?: string },
): ModelDescription | undefined {
  const [only, ...others] = models;
  const found =
    models.find(({ name }) => name === model) ??
    (others.length === 0 && (model === undefined || model === service) ? only : undefined);
  return version === undefined || found?.versions.includes(version) === true ? found : undefined;
}
