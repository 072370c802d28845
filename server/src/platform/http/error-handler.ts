import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { AppError, type ErrorKind, toAppError } from "../errors.ts";
import { newUuid } from "../ids.ts";
import type { Log } from "../log.ts";

const STATUS: Readonly<Record<ErrorKind, number>> = {
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  notFound: 404,
  conflict: 409,
  inUse: 412,
  tooLarge: 413,
  // Not 429: the genuine client repeats it for minutes (wire contract, section 12).
  limit: 400,
  unsupported: 501,
  unavailable: 503,
  timeout: 400,
  canceled: 409,
  internal: 500,
};

export function statusOf(error: AppError): number {
  return STATUS[error.kind];
}

/** Makes the body of an error answer; each wire area has its own envelope (wire contract, section 12). */
export type ErrorEnvelope = (error: AppError, statusCode: number, requestId: string) => unknown;

/** Of a model's error the genuine client prints status and correlation only, so the message stands there as well. */
export const modelManagementEnvelope: ErrorEnvelope = (error, statusCode, requestId) => ({
  code: error.code,
  statusCode,
  message: error.message,
  details: error.details.length > 0 ? error.details : [{ code: error.code, message: error.message }],
  correlation: { RequestId: requestId, Message: error.message },
});

export const resourceManagerEnvelope: ErrorEnvelope = (error, statusCode, requestId) => ({
  error: { code: error.code, message: error.message, details: error.details },
  statusCode,
  correlation: { RequestId: requestId },
  time: new Date().toISOString(),
});

/** Answers every error of this scope in its envelope. Unknown errors show a random id and nothing of the inside. */
export function handleErrors(app: FastifyInstance, envelope: ErrorEnvelope, log: Log): void {
  app.setErrorHandler((thrown: unknown, request: FastifyRequest, reply: FastifyReply) => {
    const error = fromFastify(thrown) ?? toAppError(thrown);
    const requestId = newUuid();
    const statusCode = statusOf(error);
    if (statusCode >= 500)
      log.error("request failed", { requestId, method: request.method, url: request.url, error: error.cause ?? error });
    const shown =
      error.kind === "internal"
        ? new AppError({
            code: "InternalError",
            kind: "internal",
            message: `The server failed; its log has the cause under id ${requestId}.`,
          })
        : error;
    return reply.code(statusCode).send(envelope(shown, statusCode, requestId));
  });
  app.setNotFoundHandler((request, reply) => {
    const error = new AppError({
      code: "RouteNotFound",
      kind: "notFound",
      message: `Slipway has no ${request.method} ${request.url.split("?")[0]}.`,
    });
    return reply.code(404).send(envelope(error, 404, newUuid()));
  });
}

/** Fastify's own errors: a body that breaks the schema, too large, not JSON. */
function fromFastify(thrown: unknown): AppError | undefined {
  if (!(thrown instanceof Error)) return undefined;
  const { code, statusCode, validation, validationContext } = thrown as Error & {
    code?: string;
    statusCode?: number;
    validation?: readonly { instancePath: string; message?: string }[];
    validationContext?: string;
  };
  if (validation !== undefined) {
    const places = tellingProblems(validation).map(
      (item) => `${validationContext ?? "body"}${item.instancePath.replaceAll("/", ".")} ${item.message ?? "is wrong"}`,
    );
    return new AppError({
      code: "InvalidRequest",
      kind: "invalid",
      message: `The request is not valid: ${places.join("; ")}.`,
    });
  }
  if (code === "FST_ERR_CTP_BODY_TOO_LARGE")
    return new AppError({
      code: "BodyTooLarge",
      kind: "tooLarge",
      message: `${thrown.message}. The limit for this call is 16 MiB; files go through the upload address.`,
    });
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return new AppError({ code: "InvalidRequest", kind: "invalid", message: thrown.message, cause: thrown });
  }
  return undefined;
}

/** Of a field that may also be null, the schema says every time that it is not; what is wrong stands beside it. */
function tellingProblems<Problem extends { readonly message?: string }>(
  problems: readonly Problem[],
): readonly Problem[] {
  const telling = problems.filter(({ message = "" }) => !/^must (be null|match a schema in anyOf)$/.test(message));
  return telling.length > 0 ? telling : problems;
}
