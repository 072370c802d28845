import type { IncomingMessage, ServerResponse } from "node:http";
import { passableHeaders } from "./answer-head.ts";
import { endStream } from "./answer-writer.ts";
import type { Caller } from "./caller.ts";
import type { Refusal } from "./gateway-errors.ts";
import { encodeMessage, messagePrefix } from "./grpc-message.ts";
import { GrpcStatus, statusOfHttp, statusOfRefusal } from "./grpc-status.ts";
import type { AnswerStart } from "./replica-frames.ts";

/** The one content type between gateway and scorer, and back to the caller. */
export const GRPC_CONTENT_TYPE = "application/grpc+proto";

/** A caller of a unary gRPC method: HTTP status 200 always, the outcome in the trailers. */
export class GrpcCaller implements Caller {
  readonly lagBytes = 0;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #requestId: string;

  constructor(request: IncomingMessage, response: ServerResponse, requestId: string) {
    this.#request = request;
    this.#response = response;
    this.#requestId = requestId;
  }

  refuse(refusal: Refusal): void {
    this.#close([], statusOfRefusal(refusal), `${refusal.code}: ${refusal.message}`);
  }

  answer({ status, head, payload }: AnswerStart): string | undefined {
    const { "grpc-status": code, "grpc-message": message, ...rest } = head.headers;
    if (code === undefined) {
      this.#close([], status < 300 ? GrpcStatus.UNIMPLEMENTED : statusOfHttp(status), textOf(payload));
      return undefined;
    }
    const number = Number(code);
    if (!Number.isInteger(number) || number < 0 || number > 16) return "its grpc-status is no number from 0 to 16";
    const passed = passableHeaders(rest, ["content-type"]);
    if (typeof passed === "string") return passed;
    this.#close(passed, number, typeof message === "string" ? message : "", payload);
    return undefined;
  }

  begin(): string {
    return "it is a stream, and only unary methods are served";
  }

  /** Never called: nothing begins. */
  part(): void {}
  end(): void {}
  breakOff(): void {}
  onceDrained(): void {}

  onceOver(over: () => void): void {
    this.#response.once("close", over);
  }

  #close(headers: readonly string[], status: number, message: string, payload?: Buffer): void {
    const response = this.#response;
    response.writeHead(200, ["content-type", GRPC_CONTENT_TYPE, "x-request-id", this.#requestId, ...headers]);
    if (status === GrpcStatus.OK && payload !== undefined) {
      response.write(messagePrefix(payload.length));
      response.write(payload);
    }
    response.addTrailers({
      "grpc-status": String(status),
      ...(message === "" ? {} : { "grpc-message": encodeMessage(message) }),
    });
    endStream(this.#request, response);
    response.end();
  }
}

/** What a replica said that does not know gRPC, or failed before it looked at the message. */
function textOf(payload: Buffer): string {
  const text = payload.toString("utf8", 0, 2000);
  try {
    const message: unknown = JSON.parse(payload.toString())?.error?.message;
    return typeof message === "string" ? message : text;
  } catch {
    return text;
  }
}
