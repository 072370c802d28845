import type { Refusal } from "./gateway-errors.ts";

/** https://grpc.io/docs/guides/status-codes/ */
export const GrpcStatus = {
  OK: 0,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const;
export type GrpcStatus = (typeof GrpcStatus)[keyof typeof GrpcStatus];

/** Codes whose HTTP status alone would not say it. */
const BY_CODE: Readonly<Record<string, GrpcStatus>> = {
  QueueFull: GrpcStatus.RESOURCE_EXHAUSTED,
  GatewayBusy: GrpcStatus.RESOURCE_EXHAUSTED,
  ScoringTimeout: GrpcStatus.DEADLINE_EXCEEDED,
  DeadlineExceeded: GrpcStatus.DEADLINE_EXCEEDED,
  GrpcServiceMissing: GrpcStatus.INVALID_ARGUMENT,
  GrpcMessageUnsupported: GrpcStatus.UNIMPLEMENTED,
  GrpcMessageBroken: GrpcStatus.INTERNAL,
};

export function statusOfRefusal({ code, status }: Refusal): GrpcStatus {
  return BY_CODE[code] ?? statusOfHttp(status);
}

/** For answers of the gateway, and of a replica that answered as to an HTTP request. */
export function statusOfHttp(status: number): GrpcStatus {
  switch (status) {
    case 400:
      return GrpcStatus.INVALID_ARGUMENT;
    case 401:
      return GrpcStatus.UNAUTHENTICATED;
    case 403:
      return GrpcStatus.PERMISSION_DENIED;
    case 404:
      return GrpcStatus.NOT_FOUND;
    case 405:
      return GrpcStatus.UNIMPLEMENTED;
    case 408:
    case 504:
      return GrpcStatus.DEADLINE_EXCEEDED;
    case 413:
    case 429:
      return GrpcStatus.RESOURCE_EXHAUSTED;
    case 502:
    case 503:
      return GrpcStatus.UNAVAILABLE;
    case 424:
    case 500:
      return GrpcStatus.INTERNAL;
    default:
      return GrpcStatus.UNKNOWN;
  }
}
