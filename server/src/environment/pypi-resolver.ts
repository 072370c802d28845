import { join } from "node:path";
import {
  environmentIndexUnreachable,
  environmentUnsolvable,
  installFailed,
  packageBuildFailed,
} from "./environment-errors.ts";
import { formatLock, parseLock } from "./lock.ts";
import { minorOf } from "./python-choice.ts";
import type { Resolver } from "./resolver.ts";
import type { Uv } from "./uv.ts";
import { explainFailure, type UvFailure } from "./uv-output.ts";

/** Resolves from Python package indexes. Metadata of source distributions is made by running them, hence isolated. */
export function createPypiResolver(uv: Uv, indexDescription: string): Resolver {
  return {
    async resolve({ requirements, options, interpreter, workFolder, remark }, context) {
      const begun = performance.now();
      const result = await uv.runIsolated(
        [
          ...["pip", "compile", "--python", interpreter.path, "--generate-hashes", "--no-header", "--no-annotate"],
          ...[...options, "-"],
        ],
        requirements.map((line) => `${line}\n`).join(""),
        { cache: "metadata", interpreter, home: join(workFolder, "home"), writable: [] },
        context,
      );
      if (result.ok) {
        const packages = parseLock(result.stdout);
        const seconds = ((performance.now() - begun) / 1000).toFixed(1);
        context.say(`Resolved ${packages.length === 1 ? "1 package" : `${packages.length} packages`} in ${seconds} s.`);
        return formatLock(packages);
      }
      throw failure(explainFailure(result.output), minorOf(interpreter.version), remark, indexDescription);
    },
  };
}

function failure(reason: UvFailure, python: string, remark: string, indexDescription: string): Error {
  switch (reason.kind) {
    case "unsolvable":
      return environmentUnsolvable(reason.explanation, remark);
    case "unreachable":
      return environmentIndexUnreachable(reason.explanation, indexDescription);
    case "build":
      return packageBuildFailed(reason.name, python, reason.explanation);
    case "sourceOnly":
    case "other":
      return installFailed("explanation" in reason ? reason.explanation : `${reason.name} has no wheel.`);
    default:
      return reason satisfies never;
  }
}
