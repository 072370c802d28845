import { toAppError } from "../platform/errors.ts";
import {
  environmentIndexUnreachable,
  environmentUnsolvable,
  installFailed,
  packageBuildFailed,
} from "./environment-errors.ts";
import { minorOf } from "./python-choice.ts";
import { explainFailure } from "./uv-output.ts";

export interface UvFailureContext {
  readonly pythonVersion: string;
  /** in words, for an index that does not answer */
  readonly indexDescription: string;
  /** beside what does not fit: " under Python 3.11 (3.6 was asked for)" */
  readonly remark?: string;
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
      return installFailed(`${reason.name} has no wheel.`);
    case "other":
      return installFailed(reason.explanation);
    default:
      return reason satisfies never;
  }
}
