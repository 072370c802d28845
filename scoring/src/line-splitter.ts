import type { Readable } from "node:stream";
import { StringDecoder } from "node:string_decoder";

/** A line without an end is cut here: a program may not fill the memory by never ending its line. */
const MAX_LINE = 16 * 1024;

/** Calls back for each line of a stream, for the last one also without its line end. */
export function eachLine(stream: Readable, onLine: (line: string) => void): void {
  const decoder = new StringDecoder("utf8");
  let rest = "";
  const take = (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) onLine(line.endsWith("\r") ? line.slice(0, -1) : line);
    if (rest.length > MAX_LINE) {
      onLine(rest);
      rest = "";
    }
  };
  stream.on("data", (chunk: Buffer) => take(decoder.write(chunk)));
  stream.on("end", () => {
    take(decoder.end());
    if (rest !== "") onLine(rest);
    rest = "";
  });
}
