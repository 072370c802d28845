import type { Cause } from "@slipway/api";
import { FrameKind } from "@slipway/api/frames";
import { encodeResponse, type RequestMessage } from "./frame-message.ts";

export interface ScoringRequest extends RequestMessage {
  /** the REQUEST frame's body, which holds head and payload; over HTTP it is made when it is asked for */
  readonly body: Uint8Array;
}

/**
 * Takes the frames of one answer: one RESPONSE, or STREAM, DATA … and END. `taken` is called when the bytes have left this
 * process; never, when nobody waits for them any more.
 */
export type AnswerSink = (kind: FrameKind, body: Uint8Array, taken?: () => void) => void;

/** What both edges hand their requests to. Answers once; the function returned tells that nobody waits any more. */
export type RequestHandler = (request: ScoringRequest, sink: AnswerSink) => () => void;

/** The whole answer in one piece. */
export function answerJson(sink: AnswerSink, status: number, value: unknown): void {
  const payload = Buffer.from(JSON.stringify(value));
  sink(FrameKind.RESPONSE, encodeResponse(status, { "content-type": "application/json" }, payload));
}

export function answerText(sink: AnswerSink, status: number, text: string): void {
  sink(FrameKind.RESPONSE, encodeResponse(status, { "content-type": "text/plain; charset=utf-8" }, Buffer.from(text)));
}

/** `{ error: … }`. `runFailed` marks failures of the user's code, as v1 does. The traceback stays in the log. */
export function answerCause(
  sink: AnswerSink,
  status: number,
  cause: Cause,
  options: { readonly requestId?: string; readonly runFailed?: boolean } = {},
): void {
  const { traceback: _, ...shown } = cause;
  const error = { ...shown, ...(options.requestId !== undefined && { requestId: options.requestId }) };
  const headers = {
    "content-type": "application/json",
    "x-ms-run-function-failed": options.runFailed === true ? "true" : "false",
  };
  sink(FrameKind.RESPONSE, encodeResponse(status, headers, Buffer.from(JSON.stringify({ error }))));
}
