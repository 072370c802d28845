import type { IncomingMessage, ServerResponse } from "node:http";

export type Body =
  | { readonly kind: "whole"; readonly parts: readonly Buffer[]; readonly bytes: number }
  | { readonly kind: "tooLarge" }
  | { readonly kind: "noMemory" };

/** The memory that bodies of all services may take together: without it, a few large ones would end the gateway for all. */
export class BodyBudget {
  #freeBytes: number;

  constructor(bytes: number) {
    this.#freeBytes = bytes;
  }

  take(bytes: number): boolean {
    if (bytes > this.#freeBytes) return false;
    this.#freeBytes -= bytes;
    return true;
  }

  give(bytes: number): void {
    this.#freeBytes += bytes;
  }
}

/**
 * Collects the body. Calls back once; never when the caller goes away before. What it took of the budget is given back
 * when the response is over.
 */
export function collectBody(
  request: IncomingMessage,
  response: ServerResponse,
  maxBytes: number,
  budget: BodyBudget,
  done: (body: Body) => void,
): void {
  const parts: Buffer[] = [];
  let bytes = 0;
  const stop = (kind: "tooLarge" | "noMemory") => {
    request.off("data", onData).off("end", onEnd);
    done({ kind });
  };
  const onData = (part: Buffer) => {
    if (bytes + part.length > maxBytes) return stop("tooLarge");
    if (!budget.take(part.length)) return stop("noMemory");
    if (bytes === 0) response.on("close", () => budget.give(bytes));
    bytes += part.length;
    parts.push(part);
  };
  const onEnd = () => done({ kind: "whole", parts, bytes });
  request.on("data", onData).on("end", onEnd);
}

/** What `Content-Length` announces; 0 for a chunked body, whose length is not known. */
export function announcedBytes(request: IncomingMessage): number {
  return Number(request.headers["content-length"] ?? 0);
}
