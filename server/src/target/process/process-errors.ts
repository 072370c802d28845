import { AppError } from "../../platform/errors.ts";

export function scorerNotStarted(cause: unknown): AppError {
  return new AppError({
    code: "ScorerNotStarted",
    kind: "internal",
    message: `The scorer could not be started: ${cause instanceof Error ? cause.message : String(cause)}.`,
    cause,
  });
}
