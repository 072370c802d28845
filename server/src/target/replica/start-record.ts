import { Type } from "typebox";
import { readFileIfThere, writeFileAtomically } from "../../platform/atomic-file.ts";

/** What every target remembers of a replica's last start. */
export const startFields = {
  /** of the `scorer.json` it was started with; with another nonce there the record is of an earlier start */
  nonce: Type.String(),
  startedAt: Type.String(),
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
};

export interface RecordFolder {
  readonly recordFile: string;
}

/** Reading and writing a target's own form of the record. @param parse undefined for what is no record */
export function recordFiles<Kept extends { readonly nonce: string }>(
  parse: (text: string | undefined) => Kept | undefined,
) {
  async function readRecord({ recordFile }: RecordFolder): Promise<Kept | undefined> {
    return parse(await readFileIfThere(recordFile));
  }

  async function writeRecord({ recordFile }: RecordFolder, record: Kept): Promise<void> {
    await writeFileAtomically(recordFile, `${JSON.stringify(record)}\n`);
  }

  return {
    readRecord,
    writeRecord,
    /** Changes nothing when the record is of another start by now. */
    async updateRecord(folder: RecordFolder, nonce: string, change: Partial<Kept>): Promise<void> {
      const record = await readRecord(folder);
      if (record === undefined || record.nonce !== nonce) return;
      const changed = { ...record, ...change };
      if (JSON.stringify(changed) !== JSON.stringify(record)) await writeRecord(folder, changed);
    },
  };
}
