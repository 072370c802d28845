import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Cause } from "@slipway/api";
import { readScorerConfig } from "./config.ts";
import { type Scorer, startScorer } from "./scorer.ts";
import { ScorerError } from "./scorer-errors.ts";

/** Written by a target; without one this is a container that somebody started for itself. */
const [runFolder] = process.argv.slice(2);

/** Leaves the reason where the target looks for it, and on standard error. */
function die(error: unknown): never {
  const cause: Cause =
    error instanceof ScorerError
      ? error.scorerCause
      : { code: "ScorerCrashed", message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  process.stderr.write(`${cause.message}${cause.nextAction === undefined ? "" : ` ${cause.nextAction}`}\n`);
  try {
    // The folder of a scorer that lives is not ours to write into.
    if (runFolder !== undefined && cause.code !== "AddressInUse")
      writeFileSync(join(runFolder, "exit.json"), JSON.stringify({ at: new Date().toISOString(), cause }));
  } catch {
    // The folder is gone or full; standard error has said it.
  }
  process.exit(1);
}

/** Only what is needed is loaded: a scorer's start is part of every deployment. */
async function start(): Promise<Scorer> {
  const onFatal = (cause: Cause) => die(new ScorerError(cause));
  if (runFolder === undefined) {
    const { startStandalone } = await import("./standalone/start-standalone.ts");
    return startStandalone(process.env, onFatal);
  }
  const { openRotatingLog } = await import("./rotating-log.ts");
  const log = openRotatingLog(join(runFolder, "logs", "scorer.log"));
  return startScorer(readScorerConfig(runFolder), { log, onFatal });
}

process.on("uncaughtException", die);
process.on("unhandledRejection", die);

try {
  const scorer = await start();
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      scorer.stop().then(() => process.exit(0), die);
    });
  }
} catch (error) {
  die(error);
}
