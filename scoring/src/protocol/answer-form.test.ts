import { FrameKind } from "@slipway/api";
import { expect, it } from "vitest";
import { type AnswerSink, answerCause, answerJson } from "../exchange.ts";
import { decodeResponse, encodeResponse } from "../frame-message.ts";
import { inForm } from "./answer-form.ts";
import type { ModelCall } from "./model-call.ts";

function answered(form: ModelCall["form"], answer: (sink: AnswerSink) => void) {
  const got: ReturnType<typeof decodeResponse>[] = [];
  answer(
    inForm(form, (_, body) => {
      got.push(decodeResponse(body));
    }),
  );
  expect(got).toHaveLength(1);
  return got[0] as ReturnType<typeof decodeResponse>;
}

const cause = { code: "QueueFull", message: "Zu viele Anfragen – später.", nextAction: "Wait." };

it("tells failures as each protocol has them", () => {
  const plain = answered("score", (sink) => answerCause(sink, 503, cause));
  expect(JSON.parse(plain.payload.toString())).toEqual({ error: cause });
  const rest = answered("rest", (sink) => answerCause(sink, 503, cause, { requestId: "r" }));
  expect(rest.status).toBe(503);
  expect(JSON.parse(rest.payload.toString())).toEqual({
    ...{ error: cause.message, code: "QueueFull", nextAction: "Wait.", requestId: "r" },
  });
  const grpc = answered("grpc", (sink) => answerCause(sink, 503, cause));
  expect(grpc).toMatchObject({
    status: 200,
    head: { h: { "grpc-status": "14", "grpc-message": "QueueFull: Zu viele Anfragen – später." } },
  });
  expect(grpc.payload).toHaveLength(0);
});

it.each([
  [400, "ShapeMismatch", "3"],
  [404, "ModelNotFound", "5"],
  [413, "BodyTooLarge", "8"],
  [424, "RunFailed", "13"],
  [424, "ScoringTimeout", "4"],
  [500, "RunFailed", "13"],
  [501, "MethodUnimplemented", "12"],
  [503, "Starting", "14"],
])("HTTP's %i %s is gRPC's %s", (status, code, expected) => {
  const { head } = answered("grpc", (sink) => answerCause(sink, status, { code, message: "m" }));
  expect(head.h["grpc-status"]).toBe(expected);
});

it("leaves what went well as it is, and takes a body of any kind for a failure's words", () => {
  expect(answered("rest", (sink) => answerJson(sink, 200, { outputs: [] })).payload.toString()).toBe('{"outputs":[]}');
  const own = answered("rest", (sink) => sink(FrameKind.RESPONSE, encodeResponse(418, {}, Buffer.from("teapot"))));
  expect([own.status, JSON.parse(own.payload.toString()).error]).toEqual([418, "teapot"]);
});
