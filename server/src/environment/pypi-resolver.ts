import { join } from "node:path";
import { platformArguments } from "./foreign-interpreter.ts";
import { formatLock, parseLock } from "./lock.ts";
import type { Resolver } from "./resolver.ts";
import type { Uv } from "./uv.ts";
import { uvFailure, uvFailureContext } from "./uv-failure.ts";

/** Resolves from Python package indexes. Metadata of source distributions is made by running them, hence isolated. */
export function createPypiResolver(uv: Uv, indexDescription: string): Resolver {
  return {
    async resolve({ requirements, options, interpreter, workFolder, remark }, context) {
      const begun = performance.now();
      const result = await uv.runIsolated(
        [
          ...["pip", "compile", "--python", interpreter.path, "--generate-hashes", "--no-header", "--no-annotate"],
          // What is built from source is built for this machine.
          ...(interpreter.foreign === undefined ? [] : ["--no-build"]),
          ...[...platformArguments(interpreter), ...options, "-"],
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
      throw uvFailure(result.output, { ...uvFailureContext(interpreter, indexDescription), remark });
    },
  };
}
