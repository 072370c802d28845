import { FrameKind, type RequestHead } from "@slipway/api/frames";
import { type AnswerSink, answerCause, type ScoringRequest } from "../../exchange.ts";
import { decodeResponse, encodeRequest, encodeResponse } from "../../frame-message.ts";
import { GRPC_OK } from "../../protocol/answer-form.ts";
import { isTable, readCsv, writeCsv } from "../../protocol/csv.ts";
import type { ModelCall } from "../../protocol/model-call.ts";
import { chosenOutputs, type InferenceRequest } from "../../protocol/open-inference.ts";
import { JSON_LENGTH_HEADER, readInferenceJson, writeInferenceJson } from "../../protocol/open-inference-json.ts";
import { readInferenceMessage, writeInferenceMessage } from "../../protocol/open-inference-protobuf.ts";
import { InputError } from "../../tensor/tensor.ts";
import { scriptInput, scriptRows } from "./script-input.ts";
import { resultJson, resultTensors, type ScriptAnswer } from "./script-result.ts";
import { wholeAnswer } from "./whole-answer.ts";

/** A call in the script's words, and what turns its answer into the caller's. */
export interface TranslatedCall {
  readonly request: ScoringRequest;
  answerTo(sink: AnswerSink): AnswerSink;
}

export interface TranslationContext {
  readonly model: string;
  readonly version: string;
  /** OpenAPI schema of the script's parameters, if it has an inference-schema */
  readonly inputSchema: unknown;
}

type Answer = Readonly<{ body: Uint8Array; headers: Readonly<Record<string, string>> }>;

/**
 * `run()` knows JSON bodies: calls in other protocols are put into one, and its answer is put back.
 *
 * @returns undefined for a call that the script can take as it is
 * @throws {InputError}
 */
export function translateCall(
  request: ScoringRequest,
  { form }: ModelCall,
  context: TranslationContext,
): TranslatedCall | undefined {
  const { h } = request.head;
  switch (form) {
    case "score":
      return undefined;
    case "invocations": {
      const fromCsv = h["content-type"]?.startsWith("text/csv") === true;
      const toCsv = h.accept?.startsWith("text/csv") === true;
      if (!fromCsv && !toCsv) return undefined;
      const asked = fromCsv ? withBody(request, scriptRows(readCsv(request.payload), context.inputSchema)) : request;
      return { request: asked, answerTo: (sink) => (toCsv ? translated(sink, csvAnswer) : sink) };
    }
    case "rest": {
      const inference = readInferenceJson(request.payload, h[JSON_LENGTH_HEADER]);
      return inferenceCall(request, inference, context, (answer) => writeInferenceJson(inference, answer));
    }
    case "grpc": {
      const inference = readInferenceMessage(request.payload);
      return inferenceCall(request, inference, context, (answer) => ({
        headers: GRPC_OK,
        body: writeInferenceMessage(answer),
      }));
    }
  }
}

function inferenceCall(
  request: ScoringRequest,
  inference: InferenceRequest,
  { model, version, inputSchema }: TranslationContext,
  write: (answer: Parameters<typeof writeInferenceJson>[1]) => Answer,
): TranslatedCall {
  const { id, inputs } = inference;
  return {
    request: withBody(request, scriptInput(inputs, inputSchema)),
    answerTo: (sink) =>
      translated(sink, (answer) =>
        write({
          model,
          version,
          outputs: chosenOutputs(inference, resultTensors(answer)),
          ...(id !== undefined && { id }),
        }),
      ),
  };
}

function withBody({ head }: ScoringRequest, value: unknown): ScoringRequest {
  const { [JSON_LENGTH_HEADER]: _, "content-length": __, ...headers } = head.h;
  const translatedHead: RequestHead = {
    m: "POST",
    p: "/score",
    h: { ...headers, "content-type": "application/json", accept: "application/json" },
    i: head.i,
    ...(head.t !== undefined && { t: head.t }),
  };
  const payload = Buffer.from(JSON.stringify(value));
  return { head: translatedHead, payload, body: encodeRequest(translatedHead, payload) };
}

/** Failures pass as they are. */
function translated(sink: AnswerSink, translate: (answer: ScriptAnswer) => Answer): AnswerSink {
  return wholeAnswer((body) => {
    const { status, head, payload } = decodeResponse(body);
    if (status >= 400) {
      sink(FrameKind.RESPONSE, body);
      return;
    }
    try {
      const answer = translate({ contentType: head.h["content-type"] ?? "application/json", payload });
      sink(FrameKind.RESPONSE, encodeResponse(200, { ...head.h, ...answer.headers }, answer.body));
    } catch (error) {
      if (error instanceof InputError) {
        answerCause(sink, 400, { code: error.code, message: error.message });
        return;
      }
      const words = error instanceof Error ? error.message : String(error);
      answerCause(
        sink,
        424,
        { code: "AnswerInvalid", message: `What run() returned cannot be put into this protocol: ${words}.` },
        { runFailed: true },
      );
    }
  });
}

/** A table, or an object with one. */
function csvAnswer(answer: ScriptAnswer): Answer {
  if (answer.contentType.startsWith("text/csv")) return { headers: {}, body: answer.payload };
  const [value, ...others] = Object.values(resultJson(answer));
  if (others.length > 0 || !isTable(value))
    throw new InputError("AnswerNotCsv", "The answer is no table; ask for application/json.");
  return { headers: { "content-type": "text/csv" }, body: Buffer.from(writeCsv(value)) };
}
