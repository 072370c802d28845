import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { type AppError, toAppError } from "../platform/errors.ts";
import { statusOf } from "../platform/http/error-handler.ts";
import { newUuid } from "../platform/ids.ts";
import type { Log } from "../platform/log.ts";

/** Answers errors as the blob protocol does: a code in a header, and XML with the message, which the genuine client prints. */
export function handleBlobErrors(app: FastifyInstance, log: Log): void {
  app.setErrorHandler((thrown: unknown, request: FastifyRequest, reply: FastifyReply) => {
    const error = toAppError(thrown);
    const status = blobStatusOf(error);
    const requestId = newUuid();
    if (status >= 500) log.error("upload failed", { requestId, method: request.method, error: error.cause ?? error });
    const message =
      error.kind === "internal" ? `The server failed; its log has the cause under id ${requestId}.` : error.message;
    // What is left of the body is read and dropped: a client that still sends would otherwise see a broken connection
    // instead of this answer, and send everything again.
    request.raw.resume();
    return reply
      .code(status)
      .header("x-ms-error-code", error.code)
      .header("x-ms-request-id", requestId)
      .type("application/xml")
      .send(
        `<?xml version="1.0" encoding="utf-8"?><Error><Code>${error.code}</Code><Message>${escaped(message)}</Message></Error>`,
      );
  });
}

/** The genuine client repeats every 5xx but 501 and 505 for minutes: a full disk is 413 here, not 507. */
function blobStatusOf(error: AppError): number {
  return error.code === "DiskFull" ? 413 : statusOf(error);
}

function escaped(text: string): string {
  return text
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, " ")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;");
}
