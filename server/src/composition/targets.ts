import { tmpdir } from "node:os";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { scorerMain } from "@slipway/scoring";
import { readImageBlobs } from "../image/index.ts";
import { detectCgroups } from "../platform/cgroup.ts";
import { ownLimits } from "../platform/engine/own-limits.ts";
import type { Isolation } from "../platform/sandbox.ts";
import type { Registry } from "../registry/index.ts";
import type { Targets } from "../service/index.ts";
import { createContainerTarget, ownUser } from "../target/container/index.ts";
import { createProcessTarget } from "../target/process/index.ts";
import type { Installation } from "./installation.ts";

/** The ways of running images that there are. Nobody else knows that a target is not just `Target`. */
export async function createTargets(
  installation: Installation,
  { isolation, registry }: { readonly isolation: Isolation; readonly registry: Registry },
): Promise<Targets> {
  const { config, layout, key, env, execPath, execArgv, findEngine, clock, log } = installation;
  const forAll = {
    nodePath: execPath,
    execArgv,
    legacyStatusCodes: config.legacyStatusCodes,
    timeZone: env.TZ,
    clock,
    log,
  };
  return {
    process: createProcessTarget({
      ...forAll,
      folder: layout.run,
      isolation,
      pythonPackageFolder: dirname(fileURLToPath(import.meta.resolve("@slipway/python/package.json"))),
      scorerMain,
      cgroups: await detectCgroups({ group: ["slipway", key] }),
    }),
    container: createContainerTarget({
      ...forAll,
      folder: layout.containers,
      findEngine,
      findBlobs: (bundle) => readImageBlobs(registry, bundle),
      installation: key,
      own: await ownUser(),
      limits: await ownLimits(),
      network: config.containerNetwork,
      shortFolderRoot: tmpdir(),
    }),
  };
}
