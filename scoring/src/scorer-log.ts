/** Where a scorer and its workers write what people shall read. */
export interface ScorerLog {
  /** One line; the time is put before it. `source` is `scorer`, `worker-1 stdout` … */
  write(source: string, text: string): void;
  /** Writes what is still held back. */
  flush(): void;
  close(): void;
}

/** One line of a program that never ends its line. */
const MAX_LINE = 16 * 1024;

export function logLine(source: string, text: string): string {
  return `${new Date().toISOString()} ${source}: ${text.length > MAX_LINE ? `${text.slice(0, MAX_LINE)}…` : text}\n`;
}
