import type { IncomingMessage } from "node:http";

export type Body =
  | { readonly kind: "whole"; readonly parts: readonly Buffer[]; readonly bytes: number }
  | { readonly kind: "tooLarge" };

/** Collects the body. Calls back once; never when the caller goes away before. */
export function collectBody(request: IncomingMessage, maxBytes: number, done: (body: Body) => void): void {
  const parts: Buffer[] = [];
  let bytes = 0;
  const onData = (part: Buffer) => {
    bytes += part.length;
    if (bytes <= maxBytes) {
      parts.push(part);
      return;
    }
    request.off("data", onData).off("end", onEnd);
    done({ kind: "tooLarge" });
  };
  const onEnd = () => done({ kind: "whole", parts, bytes });
  request.on("data", onData).on("end", onEnd);
}

/** What `Content-Length` announces; 0 for a chunked body, whose length is not known. */
export function announcedBytes(request: IncomingMessage): number {
  return Number(request.headers["content-length"] ?? 0);
}
