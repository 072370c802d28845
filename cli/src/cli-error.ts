import type { exitCode } from "./exit-code.ts";

/** A failure on this side of the wire: what happened, to what, and the next action. */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly code: string;
  readonly outcome: Exclude<keyof typeof exitCode, "ok">;

  constructor(code: string, outcome: CliError["outcome"], message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.outcome = outcome;
  }
}
