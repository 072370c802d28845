import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Cause } from "@slipway/api";
import { readScorerConfig } from "./config.ts";
import { startScorer } from "./scorer.ts";
import { ScorerError } from "./scorer-errors.ts";

const [runFolder] = process.argv.slice(2);
if (runFolder === undefined) {
  process.stderr.write("Usage: scorer RUNFOLDER (a folder that holds scorer.json)\n");
  process.exit(2);
}

/** Leaves the reason where the target looks for it, and on standard error. */
function die(folder: string, error: unknown): never {
  const cause: Cause =
    error instanceof ScorerError
      ? error.scorerCause
      : { code: "ScorerCrashed", message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  process.stderr.write(`${cause.message}${cause.nextAction === undefined ? "" : ` ${cause.nextAction}`}\n`);
  try {
    // The folder of a scorer that lives is not ours to write into.
    if (cause.code !== "AddressInUse")
      writeFileSync(join(folder, "exit.json"), JSON.stringify({ at: new Date().toISOString(), cause }));
  } catch {
    // The folder is gone or full; standard error has said it.
  }
  process.exit(1);
}

process.on("uncaughtException", (error) => die(runFolder, error));
process.on("unhandledRejection", (error) => die(runFolder, error));

try {
  const scorer = await startScorer(readScorerConfig(runFolder), (cause) => die(runFolder, new ScorerError(cause)));
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      scorer.stop().then(
        () => process.exit(0),
        (error) => die(runFolder, error),
      );
    });
  }
} catch (error) {
  die(runFolder, error);
}
