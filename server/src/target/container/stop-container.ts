import { appendFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { readFileIfThere } from "../../platform/atomic-file.ts";
import type { EngineClient } from "../../platform/engine/engine-client.ts";
import { askScorer } from "../replica/ask-scorer.ts";
import { type ContainerRecord, readRecord, updateRecord } from "./container-record.ts";
import { containerName, labels } from "./container-settings.ts";
import { type ReplicaFolder, removeStrangeFiles } from "./replica-folder.ts";

/** A little more than the scorer itself gives its slowest request: it should end by its own decision. */
const DRAIN_SECONDS = 35;
const OUTPUT_LINES = 500;
const OUTPUT_ROTATE_BYTES = 1024 * 1024;

export interface StopOptions {
  readonly installation: string;
  readonly signal: AbortSignal;
  /** false: no drain, for a scorer that does not answer anyway */
  readonly drain?: boolean;
}

/** Ends and removes every container of the replica, known or not. Already gone is success. The folder stays. */
export async function stopContainer(engine: EngineClient, folder: ReplicaFolder, options: StopOptions): Promise<void> {
  const record = await readRecord(folder);
  if (record !== undefined) await updateRecord(folder, record.nonce, { stopped: true });
  const drain = options.drain !== false && (await hearsSignals(record));
  for (const id of await containersOf(engine, folder, options.installation)) {
    if (drain) await engine.stopContainer(id, DRAIN_SECONDS, options.signal);
    // Podman's removal would give it ten seconds.
    else await engine.killContainer(id);
    await keepOutput(engine, folder, id);
    await engine.removeContainer(id);
  }
  for (const name of ["http.sock", "frames.sock"]) await rm(join(folder.shared, name), { force: true });
}

/** Ends the container and keeps it, since the gateway may start it again at any moment. */
export async function restContainer(engine: EngineClient, folder: ReplicaFolder, signal: AbortSignal): Promise<void> {
  const record = await readRecord(folder);
  if (record === undefined) return;
  const hears = await hearsSignals(record);
  await updateRecord(folder, record.nonce, { stopped: true, answered: false });
  if (hears) await engine.stopContainer(record.containerId, DRAIN_SECONDS, signal);
  else await engine.killContainer(record.containerId);
}

/** The first process of a container never gets a signal that it has no handler for: one that is just starting would be waited for in vain. */
async function hearsSignals(record: ContainerRecord | undefined): Promise<boolean> {
  return record === undefined || record.answered || (await askScorer(record.httpSocket)) !== undefined;
}

async function containersOf(engine: EngineClient, folder: ReplicaFolder, installation: string) {
  const labelled = await engine.containers({
    [labels.installation]: installation,
    [labels.replica]: folder.run.replicaId,
  });
  const named = await engine.container(containerName(installation, folder));
  return new Set([...labelled.map(({ Id }) => Id), ...(named === undefined ? [] : [named.Id])]);
}

/** What the container printed, before it is removed with its log. */
async function keepOutput(engine: EngineClient, folder: ReplicaFolder, id: string): Promise<void> {
  const output = await engine.output(id, OUTPUT_LINES);
  if (output.trim() === "") return;
  const { outputFile: file } = folder;
  const found = await stat(file).catch(() => undefined);
  // The folder may have been lost; then there is nobody who would read it.
  if (found === undefined && (await stat(folder.run.folder).catch(() => undefined)) === undefined) return;
  if ((found?.size ?? 0) > OUTPUT_ROTATE_BYTES) await rename(file, `${file}.1`);
  await appendFile(file, output.endsWith("\n") ? output : `${output}\n`, { mode: 0o600 });
}

/** What earlier containers of this replica have printed, beside what its scorer wrote into its own log. */
export async function readOutput(folder: ReplicaFolder): Promise<string> {
  return (await readFileIfThere(folder.outputFile)) ?? "";
}

/** Leaves in the logs' folder what is to be kept of a replica that has no container any more. */
export async function completeLogs(folder: ReplicaFolder): Promise<void> {
  const { logs } = folder.run;
  if ((await stat(logs).catch(() => undefined)) === undefined) return;
  await removeStrangeFiles(logs);
  const file = folder.outputFile;
  if ((await stat(file).catch(() => undefined)) !== undefined) await rename(file, join(logs, "crash.log"));
}
