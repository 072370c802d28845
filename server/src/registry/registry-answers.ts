import { Readable } from "node:stream";
import type { FastifyReply, FastifyRequest } from "fastify";
import { AppError, toAppError } from "../platform/errors.ts";
import type { HttpApp } from "../platform/http/app.ts";
import { statusOf } from "../platform/http/error-handler.ts";
import { sendFile } from "../platform/http/send-file.ts";
import { newUuid } from "../platform/ids.ts";
import type { Log } from "../platform/log.ts";
import { nameUnknown, rangeInvalid, registryDiskFull } from "./registry-errors.ts";
import type { Content } from "./registry-service.ts";

/** Sends a manifest or blob, or the part of it that the request asks for. */
export async function sendContent(
  request: FastifyRequest,
  reply: FastifyReply,
  content: Content,
  mediaType: string,
): Promise<FastifyReply> {
  reply.header("Docker-Content-Digest", content.digest);
  reply.header("ETag", `"${content.digest}"`);
  reply.header("Accept-Ranges", "bytes");
  // A pushed blob may be a page with scripts: a browser must never show it under our name.
  reply.header("X-Content-Type-Options", "nosniff");
  reply.type(mediaType);
  const range = rangeOf(request.headers.range, content);
  if (range !== undefined) reply.code(206).header("Content-Range", `bytes ${range.start}-${range.end}/${content.size}`);
  reply.header("Content-Length", range === undefined ? content.size : range.end - range.start + 1);
  if (request.method === "HEAD") return reply.send();
  if (content.file === undefined) return reply.send(Readable.from(content.read(range), { objectMode: false }));
  return sendFile(reply, content.file, range ?? { start: 0, end: content.size - 1 });
}

/** One range of bytes; several at once, or another unit, are answered with the whole (RFC 9110, 14.2). */
function rangeOf(header: string | undefined, content: Content): { start: number; end: number } | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? "");
  if (match === null || (match[1] === "" && match[2] === "")) return undefined;
  const [, first = "", last = ""] = match;
  const start = first === "" ? Math.max(0, content.size - Number(last)) : Number(first);
  const end = first === "" || last === "" ? content.size - 1 : Math.min(Number(last), content.size - 1);
  if (start > end) throw rangeInvalid(content.size);
  return { start, end };
}

/** OCI distribution specification, "Error codes". Method and range have a status of their own; the rest is by kind. */
export function answerErrors(app: HttpApp, log: Log): void {
  const answer = (request: FastifyRequest, reply: FastifyReply, status: number, error: AppError) => {
    reply.removeHeader("Content-Length").removeHeader("Content-Range");
    if (status === 401) reply.header("WWW-Authenticate", 'Basic realm="Slipway registry", charset="UTF-8"');
    // What is left of the body is read and dropped: a client that still sends would otherwise see a broken connection
    // instead of this answer.
    request.raw.resume();
    return reply
      .code(status)
      .type("application/json")
      .send({ errors: [{ code: error.code, message: error.message, detail: null }] });
  };
  app.setErrorHandler((thrown: unknown, request, reply) => {
    const found = toAppError(thrown);
    // Clients show the message of a 4xx only, and repeat a 5xx.
    const error = found.code === "DiskFull" ? registryDiskFull(found) : found;
    if (error.kind === "internal") {
      const requestId = newUuid();
      log.error("registry request failed", { requestId, url: request.url, error: error.cause ?? error });
      const message = `The registry failed; the server's log has the cause under id ${requestId}.`;
      return answer(request, reply, 500, new AppError({ code: "UNKNOWN", kind: "internal", message }));
    }
    return answer(request, reply, registryStatus(error), error);
  });
  app.setNotFoundHandler((request, reply) => answer(request, reply, 404, nameUnknown(request.url.split("?")[0] ?? "")));
}

function registryStatus(error: AppError): number {
  switch (error.code) {
    case "UNSUPPORTED":
      return 405;
    case "RANGE_INVALID":
      return 416;
    default:
      return statusOf(error);
  }
}
