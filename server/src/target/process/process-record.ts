import { type Static, Type } from "typebox";
import { readFileIfThere, writeFileAtomically } from "../../platform/atomic-file.ts";
import { parseFile } from "../../platform/parse-file.ts";
import type { RunFolder } from "../replica/run-folder.ts";

/** `RUN/process.json`: what the target knows of a replica's process, written right after each start. */
export const ProcessRecord = Type.Object({
  process: Type.Object({ bootId: Type.String(), pid: Type.Integer(), startTicks: Type.String() }),
  /** of the `scorer.json` it was started with; with another nonce there the record is of an earlier start */
  nonce: Type.String(),
  startedAt: Type.String(),
  /** where the output of this start begins in crash.log */
  crashLogOffset: Type.Integer(),
  /** starts after one that was not asked to end */
  restarts: Type.Integer(),
  /** restarts in a row without a good while between them; they decide the back-off */
  shortRuns: Type.Integer(),
  /** it has answered on its socket: from now on silence is a fault */
  answered: Type.Boolean(),
  readyAt: Type.Optional(Type.String()),
  /** an `apply` has returned this run's failure: the next one tries again */
  failureReported: Type.Boolean(),
  /** asked to end */
  stopped: Type.Boolean(),
});
export type ProcessRecord = Readonly<Static<typeof ProcessRecord>>;

/** @returns undefined also for a file that is no record: then nothing is known, and the process is looked for by its arguments */
export async function readRecord(run: RunFolder): Promise<ProcessRecord | undefined> {
  return parseFile(ProcessRecord, await readFileIfThere(run.recordFile));
}

export async function writeRecord(run: RunFolder, record: ProcessRecord): Promise<void> {
  await writeFileAtomically(run.recordFile, `${JSON.stringify(record)}\n`);
}

/** Changes nothing when the record is of another start by now. */
export async function updateRecord(run: RunFolder, nonce: string, change: Partial<ProcessRecord>): Promise<void> {
  const record = await readRecord(run);
  if (record === undefined || record.nonce !== nonce) return;
  const changed = { ...record, ...change };
  if (JSON.stringify(changed) !== JSON.stringify(record)) await writeRecord(run, changed);
}
