import { type Static, Type } from "typebox";
import { readFileIfThere, writeFileAtomically } from "../../platform/atomic-file.ts";
import { parseFile } from "../../platform/parse-file.ts";
import type { ReplicaFolder } from "./replica-folder.ts";

/** `container.json`: what the target knows of a replica's container. Written between its creation and its start. */
export const ContainerRecord = Type.Object({
  containerId: Type.String(),
  nonce: Type.String(),
  framesSocket: Type.String(),
  httpSocket: Type.String(),
  memoryBytes: Type.Integer(),
  startTimeoutMs: Type.Integer(),
  /** of this machine: after another boot nothing of this start runs */
  bootId: Type.String(),
  startedAt: Type.String(),
  restarts: Type.Integer(),
  shortRuns: Type.Integer(),
  /** it has answered on its socket: from now on silence is a fault */
  answered: Type.Boolean(),
  readyAt: Type.Optional(Type.String()),
  /** an `apply` has returned this run's failure: the next one tries again */
  failureReported: Type.Boolean(),
  /** asked to end */
  stopped: Type.Boolean(),
});
export type ContainerRecord = Readonly<Static<typeof ContainerRecord>>;

export async function readRecord({ recordFile }: ReplicaFolder): Promise<ContainerRecord | undefined> {
  return parseFile(ContainerRecord, await readFileIfThere(recordFile));
}

export async function writeRecord({ recordFile }: ReplicaFolder, record: ContainerRecord): Promise<void> {
  await writeFileAtomically(recordFile, `${JSON.stringify(record)}\n`);
}

/** Changes nothing when the record is of another start by now. */
export async function updateRecord(
  folder: ReplicaFolder,
  nonce: string,
  change: Partial<ContainerRecord>,
): Promise<void> {
  const record = await readRecord(folder);
  if (record === undefined || record.nonce !== nonce) return;
  const changed = { ...record, ...change };
  if (JSON.stringify(changed) !== JSON.stringify(record)) await writeRecord(folder, changed);
}
