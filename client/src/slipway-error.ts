import type { Operation } from "./wire.ts";

export interface ErrorDetail {
  readonly code: string;
  readonly message: string;
}

export interface SlipwayErrorOptions {
  readonly code: string;
  readonly message: string;
  readonly statusCode?: number;
  readonly details?: readonly ErrorDetail[];
  readonly operation?: Operation;
  readonly cause?: unknown;
}

/**
 * The one error of this SDK. Test `error.code`: the server's stable code (`ModelNotFound`), or one of ours:
 * `ServerUnreachable` (no answer; `statusCode` is 0) and `UnexpectedAnswer` (something that is no Slipway server answered).
 */
export class SlipwayError extends Error {
  override readonly name = "SlipwayError";
  readonly code: string;
  /** HTTP status of the answer; 0 if there was none */
  readonly statusCode: number;
  readonly details: readonly ErrorDetail[];
  /** set when the request was accepted and its work failed later */
  readonly operation: Operation | undefined;

  constructor(options: SlipwayErrorOptions) {
    super(options.message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = options.code;
    this.statusCode = options.statusCode ?? 0;
    this.details = options.details ?? [];
    this.operation = options.operation;
  }
}

/** By shape, so that two copies of this package do not break callers. */
export function isSlipwayError(error: unknown): error is SlipwayError {
  return error instanceof Error && error.name === "SlipwayError" && "code" in error && "statusCode" in error;
}

/** Reads any of the server's error bodies (wire contract, section 12); text and XML become the message as they are. */
export async function errorFromResponse(response: Response): Promise<SlipwayError> {
  const text = await response.text().catch(() => "");
  const body = asRecord(parseJson(text));
  const inner = asRecord(body.error);
  const source = typeof inner.message === "string" ? inner : body;
  const code = source.code ?? response.headers.get("x-ms-error-code") ?? `Http${response.status}`;
  const message = typeof source.message === "string" ? source.message : text.trim().slice(0, 2_000);
  return new SlipwayError({
    code: String(code),
    statusCode: response.status,
    message: message === "" ? `The server answered ${response.status} ${response.statusText}`.trim() : message,
    details: readDetails(source.details),
  });
}

/** What a failed operation says about itself, as an error. */
export function errorFromOperation(operation: Operation): SlipwayError {
  const failure = operation.error;
  return new SlipwayError({
    code: failure?.code ?? `Operation${operation.state}`,
    statusCode: failure?.statusCode ?? 0,
    message: failure?.message ?? `The operation ${operation.id} ended as ${operation.state}.`,
    details: failure?.details ?? [],
    operation,
  });
}

function readDetails(value: unknown): ErrorDetail[] {
  if (!Array.isArray(value)) return [];
  return value
    .map(asRecord)
    .filter((detail) => typeof detail.message === "string")
    .map((detail) => ({ code: String(detail.code ?? ""), message: String(detail.message) }));
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
