import { withoutCredentials } from "./index-settings.ts";

/** What uv said, as a line for people; undefined for what only repeats another line. */
export function progressLine(line: string): string | undefined {
  const text = line.trim();
  const downloading = /^Downloading (\S+) \(([\d.]+)\s*([KMG])iB\)$/.exec(text);
  if (downloading !== null) return `Downloading ${downloading[1]} (${downloading[2]} ${downloading[3]}B)`;
  const building = /^Building ([^\s=]+)==(\S+)$/.exec(text);
  if (building !== null) return `Building ${building[1]} ${building[2]} from source`;
  const installed = /^\+ ([^\s=]+)==(\S+)/.exec(text);
  if (installed !== null) return `Installed ${installed[1]} ${installed[2]}`;
  return undefined;
}

export type UvFailure =
  | { readonly kind: "unsolvable"; readonly explanation: string }
  | { readonly kind: "unreachable"; readonly explanation: string }
  /** a source distribution could not be built */
  | { readonly kind: "build"; readonly name: string; readonly explanation: string }
  /** nothing but a source distribution, and building was not allowed */
  | { readonly kind: "sourceOnly"; readonly name: string }
  | { readonly kind: "diskFull"; readonly explanation: string }
  | { readonly kind: "other"; readonly explanation: string };

const MAX_EXPLANATION_LENGTH = 1500;

/** Why uv ended with an error, from everything it wrote. */
export function explainFailure(output: readonly string[]): UvFailure {
  const text = output.join("\n");
  if (/No space left on device|Disk quota exceeded/.test(text))
    return { kind: "diskFull", explanation: causes(output) };
  const sourceOnly =
    /Wheels are required for `([^`]+)` because building from source is disabled/.exec(text)?.[1] ??
    /Building source distributions for `([^`]+)` is disabled/.exec(text)?.[1];
  if (sourceOnly !== undefined) return { kind: "sourceOnly", name: sourceOnly };
  const unbuilt = /Failed to (?:download and )?build `([^`]+)`/.exec(text)?.[1];
  if (unbuilt !== undefined)
    return { kind: "build", name: unbuilt.replace(/==| ?@ ?/, " "), explanation: buildProblem(output) };
  const explanation = causes(output);
  if (/No solution found/.test(text) && !/could not be queried|network was disabled/.test(text)) {
    return { kind: "unsolvable", explanation };
  }
  const unreachable =
    /could not be queried|network was disabled|Failed to fetch|Request failed after|error sending request|dns error|tcp connect error|timed out|status (client|server) error/i;
  return { kind: unreachable.test(text) ? "unreachable" : "other", explanation };
}

/** The text from `error:` on, without uv's own marks and hints about its options. */
function causes(output: readonly string[]): string {
  const start = output.findIndex((line) => line.startsWith("error:"));
  const end = output.findIndex((line, index) => index > start && line.startsWith("hint:"));
  const lines = output.slice(Math.max(start, 0), end === -1 ? undefined : end);
  const details = lines.slice(1).filter((line) => line.trim() !== "");
  return readable(details.length > 0 && /No solution found/.test(lines[0] ?? "") ? details : lines);
}

/** What the build itself said last; its traceback is for the server's log. */
function buildProblem(output: readonly string[]): string {
  const start = output.findIndex((line) => line.trim() === "[stderr]");
  const end = output.findIndex((line, index) => index > start && line.startsWith("hint:"));
  const said =
    start === -1 ? [] : output.slice(start + 1, end === -1 ? undefined : end).filter((line) => line.trim() !== "");
  const named = said.findLast((line) => /^\s*(\w+(Error|Exception)|error|fatal error)\b.*:/i.test(line));
  const suggestion = output.find((line) => /^hint:.*Did you mean/.test(line));
  const parts =
    named !== undefined
      ? [named]
      : said.length > 0
        ? said.slice(0, 2)
        : output.filter((line) => /^\s*cause:/.test(line));
  return readable([...parts, ...(suggestion === undefined ? [] : [suggestion])]);
}

function readable(lines: readonly string[]): string {
  const text = lines
    .map((line) => line.trim().replace(/^(error|cause|hint): /, ""))
    .filter((line) => line !== "")
    .join(" ");
  const short = text.length <= MAX_EXPLANATION_LENGTH ? text : `${text.slice(0, MAX_EXPLANATION_LENGTH)} ...`;
  return withoutCredentials(/[.!?]$/.test(short) ? short : `${short}.`);
}
