import type { AppError } from "../platform/errors.ts";

/** Status words of an operation; on the wire they are exactly these (wire contract, section 8). */
export type OperationStatus = "NotStarted" | "Running" | "Succeeded" | "Failed" | "Cancelled" | "TimedOut";

/** Which change is allowed, as data. Terminal states have no way out. */
export const transitions: Readonly<Record<OperationStatus, readonly OperationStatus[]>> = {
  NotStarted: ["Running", "Cancelled"],
  Running: ["NotStarted", "Succeeded", "Failed", "Cancelled", "TimedOut"],
  Succeeded: [],
  Failed: [],
  Cancelled: [],
  TimedOut: [],
};

export function isTerminal(status: OperationStatus): boolean {
  return transitions[status].length === 0;
}

export function mayChange(from: OperationStatus, to: OperationStatus): boolean {
  return transitions[from].includes(to);
}

/** Why an operation failed, as it is stored and shown. */
export interface OperationError {
  readonly code: string;
  readonly message: string;
  readonly statusCode: number;
  readonly details: readonly { readonly code: string; readonly message: string }[];
}

export function operationError(error: AppError): OperationError {
  const statusCode = error.kind === "internal" ? 500 : error.kind === "timeout" ? 408 : 400;
  const details = error.details.length > 0 ? error.details : [{ code: error.code, message: error.message }];
  return { code: error.code, message: error.message, statusCode, details };
}

/** One durable piece of long work. */
export interface Operation {
  readonly id: string;
  readonly workspaceId: string;
  /** which definition runs it: `image.build`, `service.deploy` … */
  readonly kind: string;
  readonly version: number;
  readonly status: OperationStatus;
  readonly input: unknown;
  /** what the finished steps returned, merged */
  readonly state: Record<string, unknown>;
  /** the step that runs now, or that ran last */
  readonly step: string | null;
  /** Operations with the same queue run one after another, in the order they were made: `service:ID`. */
  readonly queue: string;
  readonly cancelRequested: boolean;
  readonly error: OperationError | null;
  readonly createdAt: string;
  readonly startedAt: string | null;
  readonly endedAt: string | null;
}
