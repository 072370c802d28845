import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ScorerConfig, shapeProblems } from "@slipway/api";
import { configInvalid } from "./scorer-errors.ts";

/** What a scorer runs, and how. Its folder and sockets are added by a target; where it stands alone, there are none. */
export type ScorerSettings = Omit<ScorerConfig, "runFolder" | "httpSocket" | "framesSocket">;

/** Reads and checks `RUN/scorer.json`. */
export function readScorerConfig(runFolder: string): ScorerConfig {
  const file = join(runFolder, "scorer.json");
  const config = parse(file);
  const problems = shapeProblems(ScorerConfig, config);
  if (problems.length > 0) throw configInvalid(file, problems.join("; "));
  return config as ScorerConfig;
}

function parse(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw configInvalid(file, error instanceof Error ? error.message : String(error));
  }
}
