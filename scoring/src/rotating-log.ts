import { closeSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { logLine, type ScorerLog } from "./scorer-log.ts";

/** Two files of this size hold hours of normal output and can be sent by mail. */
const LOG_ROTATE_BYTES = 10 * 1024 * 1024;

/**
 * A log file that renames itself to `FILE.1` when it is full. What comes in one turn of the event loop is one write. A disk
 * that is full costs lines, never the service; how many is told when there is room again.
 */
export function openRotatingLog(file: string, rotateBytes: number = LOG_ROTATE_BYTES): ScorerLog {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  let descriptor = open(file);
  let size = fstatSync(descriptor).size;
  let held: string[] = [];
  let lost = 0;
  let closed = false;

  const rotate = () => {
    renameSync(file, `${file}.1`);
    closeSync(descriptor);
    descriptor = open(file);
    size = 0;
  };
  const append = (text: string) => {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at);
    size += bytes.length;
  };
  const flush = () => {
    if (held.length === 0 || closed) return;
    const lines = held;
    held = [];
    try {
      if (lost > 0) {
        append(`${new Date().toISOString()} scorer: ${lost} lines of log could not be written.\n`);
        lost = 0;
      }
      if (size > 0 && size + lines.reduce((sum, line) => sum + line.length, 0) > rotateBytes) rotate();
      append(lines.join(""));
    } catch {
      lost += lines.length;
    }
  };
  return {
    write(source, text) {
      if (closed) return;
      if (held.length === 0) setImmediate(flush);
      held.push(logLine(source, text));
    },
    flush,
    close() {
      flush();
      if (closed) return;
      closed = true;
      closeSync(descriptor);
    },
  };
}

function open(file: string): number {
  return openSync(file, "a", 0o600);
}
