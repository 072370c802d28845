import { createHash } from "node:crypto";
import type { EnvironmentSpec } from "./environment-spec.ts";
import { type Interpreter, minorOf } from "./python-choice.ts";

/** Changes when trees of the same lock would come out different. */
const TREE_FORMAT = 1;
/** Changes when the same request would be resolved differently. */
const RESOLUTION_FORMAT = 1;

/** Requests with the same key have the same lock. */
export function resolutionKey(
  spec: EnvironmentSpec,
  azuremlImported: boolean,
  interpreter: Interpreter,
  indexVariables: Readonly<Record<string, string>>,
): string {
  return digest([
    RESOLUTION_FORMAT,
    spec.requirements,
    spec.options,
    azuremlImported,
    minorOf(interpreter.version),
    interpreter.platform,
    Object.entries(indexVariables)
      .filter(([name]) => name.startsWith("UV_"))
      .sort(([one], [other]) => (one < other ? -1 : 1)),
  ]);
}

/** sha256 over lock, Python minor version and platform */
export function environmentId(lock: string, interpreter: Interpreter): string {
  return digest([TREE_FORMAT, lock, minorOf(interpreter.version), interpreter.platform]);
}

export function digest(parts: readonly unknown[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}
