import type { Cause } from "@slipway/api";
import type { LogEntry } from "../operation/index.ts";
import type { Revision } from "./service.ts";
import { placeOf } from "./service-errors.ts";

export interface ServiceLogParts {
  /** what the last operation told */
  readonly operation: readonly LogEntry[];
  /** the newest revision: the failed attempt, or what serves */
  readonly revision: Revision | undefined;
  /** what its replicas wrote, oldest first */
  readonly replicaLog: string;
  readonly error: Cause | null;
}

/** One text, as v1 shows it: how the last attempt went, what the replicas wrote, and why it failed. Never empty. */
export function composeLogs({ operation, revision, replicaLog, error }: ServiceLogParts, tail: number): string {
  const lines = operation.map(({ at, text }) => `${at} - ${text}`);
  const written = replicaLog.trimEnd();
  if (revision !== undefined) {
    lines.push("", `--- revision ${revision.number} (${revision.state}) ---`);
    lines.push(...(written === "" ? ["(its replicas wrote nothing)"] : written.split("\n")));
  }
  const cause = revision?.cause ?? error;
  if (cause) lines.push("", ...causeLines(cause, written));
  if (lines.length === 0) lines.push("Nothing was started yet.");
  return `${lines.slice(-tail).join("\n")}\n`;
}

/** The traceback only if the replicas did not write it themselves. */
function causeLines(cause: Cause, written: string): string[] {
  const lines = [`${cause.code}: ${cause.message}${placeOf(cause)}`];
  if (cause.nextAction !== undefined) lines.push(cause.nextAction);
  const traceback = cause.traceback?.trimEnd();
  if (traceback !== undefined && !written.includes(traceback)) lines.push(...traceback.split("\n"));
  return lines;
}
