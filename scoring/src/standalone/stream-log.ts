import { logLine, type ScorerLog } from "../scorer-log.ts";

/** Logs for whoever keeps the output of a container. What workers write to standard error stays there. */
export function streamLog(out: NodeJS.WritableStream, err: NodeJS.WritableStream): ScorerLog {
  // Nobody reads any more: that is no reason to stop serving.
  for (const stream of [out, err]) stream.on("error", () => {});
  return {
    write(source, text) {
      (source.endsWith(" stderr") ? err : out).write(logLine(source, text));
    },
    flush: () => {},
    close: () => {},
  };
}
