/** What a failure means to a script; `exit-code.ts` has the numbers. */
export type FailureKind = "failed" | "usage" | "refused" | "unreachable" | "interrupted";

/** A failure on this side of the wire: what happened, to what, and the next action. */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly code: string;
  readonly outcome: FailureKind;

  constructor(code: string, outcome: FailureKind, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.outcome = outcome;
  }
}
