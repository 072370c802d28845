import { FrameKind } from "@slipway/api/frames";
import type { AnswerSink } from "../exchange.ts";
import { decodeResponse, encodeResponse } from "../frame-message.ts";
import { isObject } from "./json-body.ts";
import type { ModelCall } from "./model-call.ts";

/**
 * Failures are `{"error": {"code", "message", …}}` wherever they come from. Callers of the Open Inference Protocol get them as that
 * has them: over REST `error` is a text, over gRPC it is a status. What went well passes as it is.
 */
export function inForm(form: ModelCall["form"], sink: AnswerSink): AnswerSink {
  switch (form) {
    case "score":
    case "invocations":
      return sink;
    case "rest":
      return withFailures(sink, (status, headers, { code, message, rest }) =>
        encodeResponse(status, headers, Buffer.from(JSON.stringify({ error: message, code, ...rest }))),
      );
    case "grpc":
      return withFailures(sink, (status, _, { code, message }) =>
        encodeResponse(200, { ...GRPC_HEADERS, ...grpcStatus(status, code, message) }, new Uint8Array()),
      );
  }
}

const GRPC_HEADERS = { "content-type": "application/grpc+proto" } as const;

/** The headers of an answer that carries a message. */
export const GRPC_OK: Readonly<Record<string, string>> = { ...GRPC_HEADERS, "grpc-status": "0" };

interface Failure {
  readonly code: string;
  readonly message: string;
  readonly rest: Readonly<Record<string, unknown>>;
}

function withFailures(
  sink: AnswerSink,
  write: (status: number, headers: Readonly<Record<string, string>>, failure: Failure) => Uint8Array,
): AnswerSink {
  return (kind, body, taken) => {
    if (kind !== FrameKind.RESPONSE) {
      sink(kind, body, taken);
      return;
    }
    const { status, head, payload } = decodeResponse(body);
    if (status < 400) sink(kind, body);
    else sink(kind, write(status, head.h, failureOf(status, payload)));
  };
}

function failureOf(status: number, payload: Buffer): Failure {
  try {
    const { error }: { error?: unknown } = JSON.parse(payload.toString());
    if (isObject(error) && typeof error.message === "string") {
      const { code, message, ...rest } = error;
      return { code: String(code ?? "RunFailed"), message, rest };
    }
  } catch {
    // A script may answer with a status and a body of its own choice.
  }
  return { code: "RunFailed", message: payload.toString() || `The service answered ${status}.`, rest: {} };
}

/** Numbers of the gRPC status codes. UNAVAILABLE alone invites callers to try again. */
const GrpcStatus = {
  CANCELLED: 1,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  RESOURCE_EXHAUSTED: 8,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
} as const;

const BY_STATUS: Readonly<Record<number, number>> = {
  404: GrpcStatus.NOT_FOUND,
  413: GrpcStatus.RESOURCE_EXHAUSTED,
  424: GrpcStatus.INTERNAL,
  499: GrpcStatus.CANCELLED,
  501: GrpcStatus.UNIMPLEMENTED,
  503: GrpcStatus.UNAVAILABLE,
};

/** As headers with plain text: whoever writes HTTP/2 encodes it. */
function grpcStatus(status: number, code: string, message: string): Record<string, string> {
  const number =
    code === "ScoringTimeout"
      ? GrpcStatus.DEADLINE_EXCEEDED
      : (BY_STATUS[status] ?? (status < 500 ? GrpcStatus.INVALID_ARGUMENT : GrpcStatus.INTERNAL));
  return { "grpc-status": String(number), "grpc-message": `${code}: ${message}` };
}
