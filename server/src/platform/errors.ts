/** What kind of failure it is, without HTTP numbers. `platform/http/error-handler.ts` maps it to a status. */
export type ErrorKind =
  | "invalid"
  | "unauthenticated"
  | "forbidden"
  | "notFound"
  | "conflict"
  | "inUse"
  | "tooLarge"
  | "limit"
  | "unsupported"
  | "unavailable"
  | "timeout"
  | "canceled"
  | "internal";

export interface ErrorDetail {
  readonly code: string;
  readonly message: string;
}

export interface AppErrorOptions {
  readonly code: string;
  readonly kind: ErrorKind;
  /** what happened, to what, and the next action */
  readonly message: string;
  readonly details?: readonly ErrorDetail[];
  readonly cause?: unknown;
}

/** The one error class. Codes are API; each room's `<word>-errors.ts` is the catalogue that makes them. */
export class AppError extends Error {
  override readonly name = "AppError";
  readonly code: string;
  readonly kind: ErrorKind;
  readonly details: readonly ErrorDetail[];

  constructor(options: AppErrorOptions) {
    super(options.message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = options.code;
    this.kind = options.kind;
    this.details = options.details ?? [];
  }
}

/** Anything thrown, as an AppError: unknown errors become `internal` and keep the original as cause. */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  const system = systemError(error);
  if (system !== undefined) return system;
  const message = error instanceof Error ? error.message : String(error);
  return new AppError({ code: "InternalError", kind: "internal", message, cause: error });
}

/** The value, or undefined when it was not found; every other failure stays one. */
export async function ifFound<Value>(value: Promise<Value>): Promise<Value | undefined> {
  try {
    return await value;
  } catch (error) {
    if (error instanceof AppError && error.kind === "notFound") return undefined;
    throw error;
  }
}

/** Failures of the machine that a person can mend, in words. */
function systemError(error: unknown): AppError | undefined {
  const code = errnoCode(error);
  const path = (error as { path?: string } | undefined)?.path;
  if (code === "ENOSPC" || code === "EDQUOT" || isFullDatabase(error)) {
    return new AppError({
      code: "DiskFull",
      kind: "unavailable",
      message: `The disk of the data folder is full${path ? ` (writing ${path})` : ""}. Free some space; nothing that was stored before is lost.`,
      cause: error,
    });
  }
  return undefined;
}

function isFullDatabase(error: unknown): boolean {
  return (error as { errcode?: number } | undefined)?.errcode === 13;
}

/** `ENOENT`, `EACCES` … of a Node system error, else undefined. */
export function errnoCode(error: unknown): string | undefined {
  if (error instanceof Error && "code" in error && typeof error.code === "string") return error.code;
  return undefined;
}
