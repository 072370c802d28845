import { type Static, Type } from "typebox";
import { parseFile } from "../../platform/parse-file.ts";
import { recordFiles, startFields } from "../replica/start-record.ts";

/** `RUN/process.json`: what the target knows of a replica's process, written right after each start. */
export const ProcessRecord = Type.Object({
  ...startFields,
  process: Type.Object({ bootId: Type.String(), pid: Type.Integer(), startTicks: Type.String() }),
  /** where the output of this start begins in crash.log */
  crashLogOffset: Type.Integer(),
});
export type ProcessRecord = Readonly<Static<typeof ProcessRecord>>;

/** A file that is no record counts as none: then nothing is known, and the process is looked for by its arguments. */
export const { readRecord, writeRecord, updateRecord } = recordFiles<ProcessRecord>((text) =>
  parseFile(ProcessRecord, text),
);
