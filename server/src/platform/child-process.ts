import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { AppError, errnoCode } from "./errors.ts";

export interface CommandOptions {
  readonly cwd?: string;
  /** complete: nothing is inherited unless given here */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  readonly input?: string;
  /** each line of standard output and error, as it comes */
  onLine?(line: string): void;
}

export interface CommandResult {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  /** the last lines of both streams, for errors */
  readonly tail: readonly string[];
}

const TAIL_LINES = 60;
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

/**
 * Runs a program to its end. A non-zero exit is a result, not an exception; a program that cannot be started is one. An abort
 * kills it and everything it started.
 */
export async function runCommand(command: readonly string[], options: CommandOptions): Promise<CommandResult> {
  const [program, ...args] = command;
  if (program === undefined) throw new Error("An empty command.");
  options.signal.throwIfAborted();
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: options.env as NodeJS.ProcessEnv,
    // A process group of its own, so that an abort reaches what it started.
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
  });
  const tail: string[] = [];
  let stdout = "";
  const line = (text: string) => {
    tail.push(text);
    if (tail.length > TAIL_LINES) tail.shift();
    options.onLine?.(text);
  };
  const out = createInterface({ input: child.stdout });
  out.on("line", (text) => {
    if (stdout.length < MAX_OUTPUT_BYTES) stdout += `${text}\n`;
    line(text);
  });
  createInterface({ input: child.stderr }).on("line", line);
  child.stdin.on("error", () => {
    // The program may end without reading its input; its exit code tells more than EPIPE.
  });
  child.stdin.end(options.input ?? "");
  const kill = () => killGroup(child.pid);
  options.signal.addEventListener("abort", kill, { once: true });
  return new Promise<CommandResult>((resolve, reject) => {
    child.on("error", (error) => {
      reject(options.signal.aborted ? options.signal.reason : commandNotStarted(program, error));
    });
    child.on("close", (exitCode, signal) => {
      if (options.signal.aborted) reject(options.signal.reason);
      else resolve({ exitCode, signal, stdout, tail });
    });
  }).finally(() => options.signal.removeEventListener("abort", kill));
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    if (errnoCode(error) !== "ESRCH") throw error;
  }
}

function commandNotStarted(program: string, cause: Error): AppError {
  return new AppError({
    code: "CommandNotStarted",
    kind: "internal",
    message: `The program ${program} could not be started: ${cause.message}.`,
    cause,
  });
}
