import { ScorerConfig, StartFile } from "@slipway/api";
import { readFileIfThere } from "../../platform/atomic-file.ts";
import { parseFile } from "../../platform/parse-file.ts";
import { currentBootId } from "../../platform/process-identity.ts";
import type { RunFolder } from "../replica/run-folder.ts";
import type { Deployment, Standby } from "../target.ts";
import { prepareReplica, type StartOptions } from "./start-replica.ts";
import { stopReplica } from "./stop-replica.ts";

/**
 * Ends the replica, if it runs, and leaves all that the gateway needs to start it again. What the gateway starts meanwhile is
 * not touched: only processes that were there at the beginning are ended, and no file is taken away.
 */
export async function sleepReplica(
  deployment: Deployment,
  run: RunFolder,
  options: StartOptions,
  signal: AbortSignal,
): Promise<void> {
  const prepared = (await standbyOf(run, options)) !== undefined;
  await stopReplica(run, { cgroups: options.cgroups, signal, forWake: prepared });
  if (!prepared) await prepareReplica(deployment, run, options);
}

/** How the replica is started; undefined when something of it is missing, or is of another boot or another version of this program. */
export async function standbyOf(
  run: RunFolder,
  options: Pick<StartOptions, "nodePath" | "scorerMain">,
): Promise<Standby | undefined> {
  const config = parseFile(ScorerConfig, await readFileIfThere(run.configFile));
  const start = parseFile(StartFile, await readFileIfThere(run.startFile));
  if (config === undefined || start === undefined || start.bootId !== (await currentBootId())) return undefined;
  if (!start.command.includes(options.nodePath) || !start.command.includes(options.scorerMain)) return undefined;
  const { framesSocket, httpSocket, nonce } = config;
  return { id: run.replicaId, framesSocket, httpSocket, nonce, startFile: run.startFile };
}
