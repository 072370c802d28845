/** Of one connection or one message (RFC 9110, section 7.6.1), or given by the gateway itself: passed on in neither direction. */
export const CONNECTION_HEADERS: readonly string[] = [
  "connection",
  "content-length",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "x-request-id",
];
