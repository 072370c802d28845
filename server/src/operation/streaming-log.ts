import type { LogEntry } from "./operation-store.ts";

/**
 * The log as the genuine client parses it: `yyyymmddHHMMSS|text#` for each line, UTC. The two separators may not occur in a
 * text (wire contract, section 8), and neither may line ends, which would break the client's indentation.
 */
export function streamingLog(entries: readonly LogEntry[]): string {
  return entries.map(({ at, text }) => `${compactTime(at)}|${plain(text)}#`).join("");
}

/** What follows `offset` characters, counted as the client counts: a character outside the basic plane is one. */
export function streamingLogFrom(entries: readonly LogEntry[], offset: number): string {
  return [...streamingLog(entries)].slice(offset).join("");
}

function compactTime(isoTime: string): string {
  return isoTime.replace(/\D/g, "").slice(0, 14);
}

function plain(text: string): string {
  return text
    .replaceAll("|", "/")
    .replaceAll("#", "*")
    .replace(/\s*[\r\n]+\s*/g, " ");
}
