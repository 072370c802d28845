import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { ScorerConfig } from "@slipway/api";
import { configInvalid } from "./scorer-errors.ts";
import { listOf, objectOf, oneOf, optional, recordOf, type Shape, text, truth, wholeNumber } from "./shape.ts";

/** What a scorer runs, and how. Its folder and sockets are added by a target; where it stands alone, there are none. */
export type ScorerSettings = Omit<ScorerConfig, "runFolder" | "httpSocket" | "framesSocket">;

type Python = Extract<ScorerConfig["runtime"], { kind: "python" }>;
type Onnx = Extract<ScorerConfig["runtime"], { kind: "onnx" }>;

const python = objectOf({
  kind: oneOf("python"),
  command: listOf(text),
  env: recordOf(text),
  appRoot: text,
  entryScript: text,
} satisfies Readonly<Record<keyof Python, Shape>>);

const onnx = objectOf({
  kind: oneOf("onnx"),
  models: listOf(objectOf({ name: text, file: text })),
} satisfies Readonly<Record<keyof Onnx, Shape>>);

const runtime: Shape = (value, place) => (Object(value).kind === "onnx" ? onnx(value, place) : python(value, place));

const MEMORY_GUARDS: Readonly<Record<ScorerConfig["memoryGuard"], true>> = {
  "cgroup-v2": true,
  "cgroup-v1": true,
  container: true,
  watchdog: true,
  none: true,
};

const configShape = objectOf({
  replicaId: text,
  nonce: text,
  service: text,
  revision: wholeNumber(),
  pathPrefix: optional(text),
  runFolder: text,
  httpSocket: text,
  framesSocket: text,
  httpPort: optional(wholeNumber()),
  runtime,
  workers: wholeNumber(1),
  threads: wholeNumber(1),
  memoryLimitBytes: optional(wholeNumber()),
  memoryGuard: oneOf(...Object.keys(MEMORY_GUARDS)),
  cgroup: optional(text),
  startTimeoutMs: wholeNumber(),
  scoringTimeoutMs: wholeNumber(),
  maxBodyBytes: wholeNumber(),
  legacyStatusCodes: truth,
} satisfies Readonly<Record<keyof ScorerConfig, Shape>>);

/** Reads and checks `RUN/scorer.json`. */
export function readScorerConfig(runFolder: string): ScorerConfig {
  const file = join(runFolder, "scorer.json");
  const config = parse(file);
  const problems = configShape(config, "");
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
