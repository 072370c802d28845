import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { availableParallelism, hostname } from "node:os";
import { ImageDescription, imagePaths, STANDALONE_PORT, shapeProblems } from "@slipway/api";
import type { ScorerSettings } from "../config.ts";
import { cpuQuota } from "./cpu-quota.ts";
import { descriptionInvalid, settingInvalid } from "./standalone-errors.ts";

type Variables = Readonly<Record<string, string | undefined>>;

/** Revisions are a server's; here there is only this one. */
export const REVISION = 1;
/** As long as a service may take that is deployed. */
const START_TIMEOUT_MS = 300_000;
const MAX_BODY_BYTES = 100 * 1024 * 1024;
const SCORING_TIMEOUT_MS = 60_000;
const MAX_PORT = 65_535;
const MAX_WORKERS = 1024;
const DAY_MS = 86_400_000;

/** @throws {ScorerError} ImageDescriptionInvalid */
export function readImageDescription(file: string): ImageDescription {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw descriptionInvalid(file, error instanceof Error ? error.message : String(error));
  }
  const problems = shapeProblems(ImageDescription, value);
  if (problems.length > 0) throw descriptionInvalid(file, problems.join("; "));
  return value as ImageDescription;
}

/**
 * What the image says, and the variables `SLIPWAY_PORT`, `SLIPWAY_WORKERS` and `SLIPWAY_SCORING_TIMEOUT_MS`. Without the second
 * there are as many workers as the container has processors by its limit, and one where it has none.
 *
 * @throws {ScorerError} SettingInvalid
 */
export function standaloneSettings(
  { name, runtime }: ImageDescription,
  env: Variables,
  quota: number | undefined = cpuQuota(),
): ScorerSettings {
  const workers = wholeNumber(env, "SLIPWAY_WORKERS", 1, MAX_WORKERS) ?? Math.ceil(quota ?? 1);
  return {
    replicaId: hostname(),
    nonce: randomUUID(),
    service: name,
    revision: REVISION,
    httpPort: wholeNumber(env, "SLIPWAY_PORT", 1, MAX_PORT) ?? STANDALONE_PORT,
    runtime:
      runtime.kind === "onnx"
        ? runtime
        : {
            kind: "python",
            command: [imagePaths.python],
            env: workerVariables(env),
            appRoot: imagePaths.appRoot,
            entryScript: runtime.entryScript,
          },
    workers,
    threads: Math.max(1, Math.floor((quota ?? availableParallelism()) / workers)),
    memoryGuard: "container",
    startTimeoutMs: START_TIMEOUT_MS,
    scoringTimeoutMs: wholeNumber(env, "SLIPWAY_SCORING_TIMEOUT_MS", 1, DAY_MS) ?? SCORING_TIMEOUT_MS,
    maxBodyBytes: MAX_BODY_BYTES,
    legacyStatusCodes: false,
  };
}

/** The container's own variables, those of the image among them. The keys are not the script's business. */
function workerVariables(env: Variables): Record<string, string> {
  const { SLIPWAY_KEYS: _, SLIPWAY_KEYS_FILE: __, ...others } = env;
  return Object.fromEntries(
    Object.entries(others).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

function wholeNumber(env: Variables, name: string, least: number, most: number): number | undefined {
  const text = env[name]?.trim();
  if (text === undefined || text === "") return undefined;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (value < least || value > most) throw settingInvalid(name, text, `a whole number from ${least} to ${most}`);
  return value;
}
