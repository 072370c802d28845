import { randomUUID } from "node:crypto";

/** https://www.w3.org/TR/trace-context/#traceparent-header; a later version may have more behind the flags. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:$|-)/;

/** As RFC 9562 has the random ones (version 4): neither half is zero. */
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

export function isTraceparent(value: string): boolean {
  return TRACEPARENT.test(value) && (value.length === 55 || !value.startsWith("00"));
}

/**
 * For a request that came without one: a trace that nobody records, so that log lines of all processes have a common name. It is the
 * request's own id if that is a UUID, as the gateway makes them.
 */
export function newTraceparent(requestId: string): string {
  const id = UUID.test(requestId) ? requestId : randomUUID();
  const traceId = id.replaceAll("-", "");
  // On the hot path, and nobody looks for this span by itself: half of the random digits serve as its id.
  return `00-${traceId}-${traceId.slice(16)}-00`;
}
