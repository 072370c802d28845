import { join } from "node:path";
import { type Installation, repository } from "../../../e2e/src/harness/installation.ts";
import { timeProgram } from "./timed-program.ts";

/** Makes the base from Debian packages and pushes it to the built-in registry, where every build finds it. */
export async function pushBase(slipway: Installation): Promise<void> {
  const program = [process.execPath, "--conditions=slipway-source", join(repository, "scripts/make-base-image.ts")];
  await timeProgram([...program, "--data", slipway.dataFolder]);
}
