import type { ServerResponse } from "node:http";
import { constants, type Http2ServerResponse } from "node:http2";
import { type AnswerHead, passableHeaders } from "./answer-head.ts";
import { hasNoBody, writeAnswer, writeRefusal } from "./answer-writer.ts";
import type { Caller } from "./caller.ts";
import type { Refusal } from "./gateway-errors.ts";
import type { AnswerStart } from "./replica-frames.ts";

/** A caller over HTTP/1.1 or HTTP/2. */
export class HttpCaller implements Caller {
  readonly #response: ServerResponse;
  readonly #requestId: string;
  readonly #headers: readonly string[];
  readonly #closing: () => boolean;

  /**
   * @param headers flat `name, value, …` that every answer gets; they replace the replica's
   * @param closing true while the gateway stops: connections are not kept
   */
  constructor(response: ServerResponse, requestId: string, headers: readonly string[], closing: () => boolean) {
    this.#response = response;
    this.#requestId = requestId;
    this.#headers = headers;
    this.#closing = closing;
  }

  get lagBytes(): number {
    return this.#response.writableLength;
  }

  refuse(refusal: Refusal): void {
    writeRefusal(this.#response, this.#requestId, refusal, [...this.#headers, ...this.#closeHeader()]);
  }

  answer({ status, head, payload }: AnswerStart): string | undefined {
    const passed = this.#passed(status, head);
    if (typeof passed === "string") return passed;
    writeAnswer(this.#response, status, passed, payload);
    return undefined;
  }

  begin({ status, head, payload }: AnswerStart): string | undefined {
    const passed = this.#passed(status, head);
    if (typeof passed === "string") return passed;
    this.#response.writeHead(status, passed);
    this.#response.flushHeaders();
    this.part(payload);
    return undefined;
  }

  part(bytes: Uint8Array): void {
    if (bytes.length === 0 || hasNoBody(this.#response.statusCode, this.#response.req.method)) return;
    // Receive buffers are never used twice, so this view may wait in the response for as long as it must.
    this.#response.write(bytes);
  }

  end(): void {
    this.#response.end();
  }

  /** The head is out, so a broken connection, or a reset of the stream, is the only way left to say that the answer is not whole. */
  breakOff(): void {
    if (this.#response.req.httpVersionMajor === 1) this.#response.destroy();
    // Not destroy(): that resets with NO_ERROR, which callers take for a good end.
    else (this.#response as unknown as Http2ServerResponse).stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  }

  onceDrained(resume: () => void): void {
    this.#response.once("drain", resume);
  }

  onceOver(over: () => void): void {
    // Comes once anyway; `once` costs a wrapper and its removal on the hot path.
    this.#response.on("close", over);
  }

  #passed(status: number, { headers, passable }: AnswerHead): string[] | string {
    if (status < 200 || status > 599) return `its status is ${status}`;
    const passed = this.#headers.length === 0 ? passable : passableHeaders(headers, this.#headers);
    if (typeof passed === "string") return passed;
    return [...passed, "x-request-id", this.#requestId, ...this.#headers, ...this.#closeHeader()];
  }

  #closeHeader(): readonly string[] {
    return this.#closing() && this.#response.req.httpVersionMajor === 1 ? CLOSE : [];
  }
}

const CLOSE = ["connection", "close"] as const;
