import { isSlipwayError } from "@slipway/client";
import { CommanderError } from "commander";
import { CliError, type FailureKind } from "./cli-error.ts";

/** What `slipway` returns to the shell. Scripts rely on these; they are in the help of the program. */
const exitCode = {
  ok: 0,
  /** the work was accepted and failed: a build, a deployment, score.py itself */
  failed: 1,
  /** the command line is wrong */
  usage: 2,
  /** the server refused: not found, not valid, in use, not allowed */
  refused: 3,
  /** no server answers, or it does not know who we are */
  unreachable: 4,
  interrupted: 130,
} as const satisfies Record<FailureKind | "ok", number>;

/** A request reached score.py and failed there. */
const SCORING_FAILED = 424;

export function exitCodeOf(error: unknown): number {
  if (error instanceof CliError) return exitCode[error.outcome];
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCode.ok : exitCode.usage;
  if (error instanceof Error && error.name === "AbortError") return exitCode.interrupted;
  if (!isSlipwayError(error)) return exitCode.failed;
  if (error.operation !== undefined || error.statusCode === SCORING_FAILED) return exitCode.failed;
  if (error.statusCode === 0 || error.statusCode === 401) return exitCode.unreachable;
  if (error.statusCode >= 400 && error.statusCode < 500) return exitCode.refused;
  return error.statusCode === 501 ? exitCode.refused : exitCode.failed;
}
