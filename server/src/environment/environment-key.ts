import { createHash } from "node:crypto";
import type { CondaTarget } from "./conda/conda-target.ts";
import type { EnvironmentSpec, PypiSpec } from "./environment-spec.ts";
import { type Interpreter, minorOf } from "./python-choice.ts";

/** Changes when trees of the same lock would come out different. */
const TREE_FORMAT = 1;
/** Changes when the same request would be resolved differently. */
const RESOLUTION_FORMAT = 1;
const CONDA_TREE_FORMAT = 1;
const CONDA_RESOLUTION_FORMAT = 1;

/** Requests with the same key have the same lock. */
export function resolutionKey(
  spec: PypiSpec,
  azuremlImported: boolean,
  interpreter: Interpreter,
  indexVariables: Readonly<Record<string, string>>,
  resolution: string | undefined,
): string {
  return digest([
    RESOLUTION_FORMAT,
    spec.requirements,
    spec.options,
    azuremlImported,
    minorOf(interpreter.version),
    interpreter.platform,
    indexesIn(indexVariables),
    ...(resolution === undefined ? [] : [resolution]),
  ]);
}

export interface CondaResolutionInputs {
  readonly specs: readonly string[];
  readonly channels: readonly string[];
  readonly target: CondaTarget;
  readonly pip: EnvironmentSpec["pip"];
  readonly azuremlImported: boolean;
  readonly indexVariables: Readonly<Record<string, string>>;
  readonly resolution: string | undefined;
}

/** Requests with the same key have the same locks, if conda's solver makes them. */
export function condaResolutionKey(inputs: CondaResolutionInputs): string {
  const { specs, channels, target, pip, azuremlImported, indexVariables, resolution } = inputs;
  return digest([
    ...[CONDA_RESOLUTION_FORMAT, "conda", specs, channels, target],
    ...[[...pip.requirements].sort(), pip.options, azuremlImported, indexesIn(indexVariables), resolution ?? null],
  ]);
}

function indexesIn(variables: Readonly<Record<string, string>>) {
  return Object.entries(variables)
    .filter(([name]) => name.startsWith("UV_"))
    .sort(([one], [other]) => (one < other ? -1 : 1));
}

/** @param lock of pip's packages; empty for a tree of conda packages alone */
export function condaEnvironmentId(condaLock: string, lock: string): string {
  return digest([CONDA_TREE_FORMAT, "conda", condaLock, lock]);
}

/** sha256 over lock, Python minor version and platform */
export function environmentId(lock: string, interpreter: Interpreter): string {
  return digest([TREE_FORMAT, lock, minorOf(interpreter.version), interpreter.platform]);
}

export function digest(parts: readonly unknown[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}
