import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { type Installation, startInstallation } from "../../../e2e/src/harness/installation.ts";
import type { Context } from "../benchmark.ts";

/** A real `slipway up` that ends with the benchmark at the latest. */
export async function startSlipway(context: Context, upArguments: readonly string[] = []): Promise<Installation> {
  const starting = startInstallation(upArguments);
  context.resources.defer(async () => {
    const started = await starting.catch(() => undefined);
    await started?.dispose();
  });
  return starting;
}

/** As on a machine that never saw Slipway: no data, no downloaded package, no compiled bytecode. */
export async function startCold(context: Context): Promise<Installation> {
  return startSlipway(context, ["--cache", await mkdtemp(join(context.folder, "cache-"))]);
}
