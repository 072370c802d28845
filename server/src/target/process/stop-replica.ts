import { rm } from "node:fs/promises";
import { ScorerConfig } from "@slipway/api";
import { readFileIfThere } from "../../platform/atomic-file.ts";
import type { Cgroups } from "../../platform/cgroup.ts";
import { parseFile } from "../../platform/parse-file.ts";
import { pause } from "../../platform/pause.ts";
import { isAlive, killGroup, type ProcessIdentity, signalProcess } from "../../platform/process-identity.ts";
import type { RunFolder } from "../replica/run-folder.ts";
import { readRecord, updateRecord } from "./process-record.ts";
import { scorersOf } from "./scorer-processes.ts";

/** A little more than the scorer itself gives its slowest request: it should end by its own decision. */
const DRAIN_MS = 35_000;

export interface StopOptions {
  readonly cgroups: Cgroups | undefined;
  readonly signal: AbortSignal;
  /** false: no drain, for a scorer that does not answer anyway */
  readonly drain?: boolean;
  /** true: what a start needs stays, since the gateway may start the replica again at any moment */
  readonly forWake?: boolean;
}

/** Ends the replica's scorer with all its workers. Already over is success. The run folder stays. */
export async function stopReplica(run: RunFolder, options: StopOptions): Promise<void> {
  const record = await readRecord(run);
  if (record !== undefined) await updateRecord(run, record.nonce, { stopped: true });
  const found = [...(await scorersOf(run)), ...(record === undefined ? [] : [record.process])];
  const scorers = [...new Map(found.map((scorer) => [scorer.pid, scorer])).values()];
  if (options.drain !== false) {
    // The scorer alone: its workers must live until they have answered.
    for (const scorer of scorers) await signalProcess(scorer, "SIGTERM");
    await waitUntilGone(scorers, options.signal);
  }
  for (const scorer of scorers) await killGroup(scorer);
  if (options.forWake) return;
  await options.cgroups?.remove(run.replicaId);
  const config = parseFile(ScorerConfig, await readFileIfThere(run.configFile));
  if (config === undefined) return;
  for (const socket of [config.httpSocket, config.framesSocket]) await rm(socket, { force: true });
}

async function waitUntilGone(processes: readonly ProcessIdentity[], signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + DRAIN_MS;
  while (performance.now() < deadline) {
    const alive = await Promise.all(processes.map(isAlive));
    if (!alive.includes(true)) return;
    await pause(20, signal);
  }
}
