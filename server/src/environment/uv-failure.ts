import { toAppError } from "../platform/errors.ts";
import {
  environmentIndexUnreachable,
  environmentUnsolvable,
  installFailed,
  packageBuildFailed,
  wheelMissing,
} from "./environment-errors.ts";
import { type Interpreter, minorOf } from "./python-choice.ts";
import { explainFailure } from "./uv-output.ts";

export interface UvFailureContext {
  readonly pythonVersion: string;
  /** of another machine, for which nothing can be built here */
  readonly foreign?: Interpreter["foreign"];
  /** in words, for an index that does not answer */
  readonly indexDescription: string;
  /** beside what does not fit: " under Python 3.11 (3.6 was asked for)" */
  readonly remark?: string;
}

export function uvFailureContext({ version, foreign }: Interpreter, indexDescription: string): UvFailureContext {
  return { pythonVersion: version, indexDescription, ...(foreign !== undefined && { foreign }) };
}

/** The error to throw for a uv that ended badly. */
export function uvFailure(output: readonly string[], context: UvFailureContext): Error {
  const reason = explainFailure(output);
  switch (reason.kind) {
    case "unsolvable":
      return environmentUnsolvable(reason.explanation, context.remark ?? "");
    case "unreachable":
      return environmentIndexUnreachable(reason.explanation, context.indexDescription);
    case "build":
      return packageBuildFailed(reason.name, minorOf(context.pythonVersion), reason.explanation);
    case "diskFull":
      return toAppError(Object.assign(new Error(reason.explanation), { code: "ENOSPC" }));
    case "sourceOnly":
      return context.foreign === undefined
        ? installFailed(`${reason.name} has no wheel.`)
        : wheelMissing(reason.name, minorOf(context.pythonVersion), context.foreign.architecture);
    case "other":
      return installFailed(reason.explanation);
    default:
      return reason satisfies never;
  }
}
