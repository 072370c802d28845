import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

export interface TimedProgram {
  /** seconds from the start to the first line that begins with each text */
  readonly lines: Readonly<Record<string, number>>;
  /** seconds to the end */
  readonly total: number;
  readonly output: string;
}

interface TimedOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** beginnings of lines to wait for */
  readonly lines?: readonly string[];
}

/** Runs a program and notes when it said what. @throws if it fails, or never says it, with its output */
export async function timeProgram(command: readonly string[], options: TimedOptions = {}): Promise<TimedProgram> {
  const { cwd, env, lines = [] } = options;
  const [program = "", ...args] = command;
  const began = performance.now();
  const seconds = () => (performance.now() - began) / 1000;
  const child = spawn(program, args, {
    cwd,
    env: { ...process.env, PYTHONUNBUFFERED: "1", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output: string[] = [];
  const times: Record<string, number> = {};
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on("line", (line) => {
      output.push(line);
      const beginning = lines.find((text) => line.startsWith(text));
      if (beginning !== undefined) times[beginning] ??= seconds();
    });
  }
  const [code] = (await once(child, "close")) as [number | null];
  const total = seconds();
  const unsaid = lines.filter((text) => times[text] === undefined);
  if (code === 0 && unsaid.length === 0) return { lines: times, total, output: output.join("\n") };
  const what = code === 0 ? `never said ${unsaid.join(", ")}` : `ended with ${code}`;
  throw new Error(`${command.join(" ")} ${what}:\n${output.slice(-20).join("\n")}`);
}
