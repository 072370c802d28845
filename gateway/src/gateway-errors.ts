/**
 * Every answer that the gateway gives on its own account; `docs/reference/gateway-answers.md` is their table.
 * Codes are API. The genuine client silently repeats 408, 429, 500, 502, 503, 504 for minutes (wire contract, section 12):
 * 503 is for what a repetition may cure, 424 for what is decided.
 */
export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly headers?: readonly string[];
}

const RETRY_SOON = ["retry-after", "1"] as const;

export function badRequestTarget(): Refusal {
  return refusal(
    400,
    "BadRequestTarget",
    "The request target is not a path. Send the scoring address as it was given.",
  );
}

export function methodNotAllowed(method: string): Refusal {
  return {
    ...refusal(405, "MethodNotAllowed", `${method} is not answered here. Use POST to score.`),
    headers: ["allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"],
  };
}

export function serviceNotFound(path: string): Refusal {
  const named = /^\/(?:w\/([^/]{1,64})\/)?api\/v1\/service\/([^/]{1,64})/.exec(path);
  const what =
    named === null
      ? `No service answers at '${path.slice(0, 100)}'.`
      : `There is no service '${named[2]}' in workspace '${named[1] ?? "default"}'.`;
  return refusal(404, "ServiceNotFound", `${what} Compare the scoring address with the one that the service shows.`);
}

export function credentialMissing(service: string, auth: "key" | "token"): Refusal {
  return unauthorized("CredentialMissing", `Service '${service}' needs a credential and none came. ${howTo(auth)}`);
}

export function keyWrong(service: string): Refusal {
  return unauthorized("KeyWrong", `The key is not one of the two keys of service '${service}'. ${howTo("key")}`);
}

export function tokenWrong(service: string, why: string): Refusal {
  return unauthorized("TokenWrong", `The token does not open service '${service}': ${why}. ${howTo("token")}`);
}

export function serviceNotOpen(service: string): Refusal {
  return refusal(
    403,
    "ServiceNotOpen",
    `Service '${service}' has no authentication and therefore answers callers on its own machine only. ` +
      "Turn on its authentication (auth_enabled=True), or start Slipway with --allow-open.",
  );
}

export function metricsForbidden(): Refusal {
  return unauthorized(
    "MetricsKeyWrong",
    "From another machine, /metrics needs 'Authorization: Bearer KEY' with the key in gateway/metrics.key of the data folder.",
  );
}

export function originNotAllowed(service: string, origin: string): Refusal {
  return refusal(
    403,
    "OriginNotAllowed",
    `Service '${service}' does not answer pages of ${origin.slice(0, 100)}. ` +
      "Add the origin to its property slipway.cors if it should.",
  );
}

export function bodyTooLarge(service: string, maxBodyBytes: number): Refusal {
  return refusal(
    413,
    "BodyTooLarge",
    `The body is larger than the limit of service '${service}': ${maxBodyBytes} bytes. Send smaller batches.`,
  );
}

export function gatewayBusy(): Refusal {
  return busy("GatewayBusy", "The gateway holds as many request bodies as its memory allows. Send fewer at once.");
}

export function serviceUnavailable(service: string, reason: string | undefined, waitedMs: number): Refusal {
  const why = reason ?? "no replica of it is reachable at this moment";
  return busy(
    "ServiceUnavailable",
    `Service '${service}' cannot answer: ${why.replace(/\.$/, "")}. Waited ${waitedMs / 1000} s.`,
  );
}

export function queueFull(service: string, depth: number): Refusal {
  return busy(
    "QueueFull",
    `All replicas of service '${service}' are at work and its queue is full: ${depth} requests wait. ` +
      "Send fewer requests at once, or give the service more replicas.",
  );
}

export function queueWaitOver(service: string, waitedMs: number, depth: number): Refusal {
  return busy(
    "QueueWaitOver",
    `No replica of service '${service}' became free within ${waitedMs} ms; ${depth} requests wait beside this one. ` +
      "Send fewer requests at once, raise max_request_wait_time, or give the service more replicas.",
  );
}

export function routesUnreadable(): Refusal {
  return busy("RoutesUnreadable", "The gateway has no usable routes and waits for the control plane to write them.");
}

export function replicaGone(service: string, replica: string, cause: string): Refusal {
  return refusal(
    424,
    "ReplicaGone",
    `Replica '${replica}' of service '${service}' went away while it worked on this request: ${cause}. ` +
      "The request was not repeated, because it may have had effects. The logs of the service tell more.",
  );
}

export function scoringTimeout(service: string, limitMs: number): Refusal {
  return refusal(
    424,
    "ScoringTimeout",
    `Service '${service}' gave no answer within its scoring timeout of ${limitMs} ms. ` +
      "Make run() faster, send smaller batches, or raise scoring_timeout_ms.",
  );
}

export function answerInvalid(service: string, why: string): Refusal {
  return refusal(424, "AnswerInvalid", `The answer of service '${service}' cannot be sent over HTTP: ${why}.`);
}

export function grpcServiceMissing(): Refusal {
  return refusal(
    400,
    "GrpcServiceMissing",
    "The call does not say which service it is for. Send the metadata x-slipway-service: NAME, " +
      "or x-ms-aml-grpc-service-route with the path of the service's scoring address, without /score.",
  );
}

export function grpcMessageBroken(): Refusal {
  return refusal(400, "GrpcMessageBroken", "The body is no length-prefixed gRPC message.");
}

export function grpcMessageUnsupported(why: "compressed" | "several"): Refusal {
  const what = why === "compressed" ? "Compressed messages are" : "Streams of messages are";
  return refusal(400, "GrpcMessageUnsupported", `${what} not supported. Send one message, as it is.`);
}

export function deadlineExceeded(service: string, limitMs: number): Refusal {
  return refusal(
    424,
    "DeadlineExceeded",
    `Service '${service}' gave no answer within the ${limitMs} ms of the call's grpc-timeout.`,
  );
}

export function internalError(requestId: string): Refusal {
  return refusal(
    500,
    "InternalError",
    `The gateway failed on this request. Its log has the reason under ${requestId}.`,
  );
}

function refusal(status: number, code: string, message: string): Refusal {
  return { status, code, message };
}

function unauthorized(code: string, message: string): Refusal {
  return { ...refusal(401, code, message), headers: ["www-authenticate", "Bearer"] };
}

function busy(code: string, message: string): Refusal {
  return { ...refusal(503, code, message), headers: RETRY_SOON };
}

function howTo(auth: "key" | "token"): string {
  return auth === "key"
    ? "Send 'Authorization: Bearer KEY' with a key from get_keys() or 'slipway service keys'."
    : "Send 'Authorization: Bearer TOKEN' with a fresh token from get_token().";
}
