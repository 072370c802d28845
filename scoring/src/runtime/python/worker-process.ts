import { type ChildProcess, spawn } from "node:child_process";
import type { Socket } from "node:net";
import type { Readable } from "node:stream";
import type { ScorerConfig } from "@slipway/api";
import { residentBytes } from "../process-memory.ts";
import { workerProgram } from "./worker-path.ts";

/** One operating-system process that hosts the script: started by us, or forked by one that was. */
export interface WorkerProcess {
  /** 0 while there is none */
  readonly pid: number;
  readonly socket: Socket | undefined;
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;
  memoryBytes(): number;
  /** Ends it and all of its group, now. */
  kill(): void;
  /** Called once. */
  onEnd(listener: (end: ProcessEnd) => void): void;
}

export type ProcessEnd =
  | { readonly notStarted: Error }
  | { readonly exitCode: number | null; readonly signal: string | null };

/** Connection and output of a worker to come, open in the process that will fork it. */
export interface Seat {
  readonly descriptors: readonly [socket: number, stdout: number, stderr: number];
  readonly socket: Socket;
  readonly stdout: Readable;
  readonly stderr: Readable;
}

export type PythonRuntimeConfig = Extract<ScorerConfig["runtime"], { kind: "python" }>;

const FIRST_SEAT = 4;
const SEAT_PIPES = 3;

/** File descriptor 3 of the process is its socket to us; those of its seats follow. */
export function spawnWorkerProcess(
  { command: [program = "", ...args], env }: PythonRuntimeConfig,
  seatCount: number,
): { readonly process: WorkerProcess; readonly seats: readonly Seat[] } {
  const child = spawn(program, [...args, workerProgram], {
    env,
    // Its own group, so that what the script starts can be ended with it.
    detached: true,
    stdio: ["ignore", "pipe", "pipe", "pipe", ...Array.from({ length: seatCount * SEAT_PIPES }, () => "pipe" as const)],
  });
  const started = child.pid !== undefined;
  return {
    process: {
      pid: child.pid ?? 0,
      socket: started ? pipe(child, 3) : undefined,
      stdout: child.stdout,
      stderr: child.stderr,
      memoryBytes: () => (child.pid === undefined ? 0 : residentBytes(child.pid)),
      kill() {
        // Once it is reaped, its number may belong to somebody else.
        if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) killGroup(child.pid);
      },
      onEnd(listener) {
        child.on("error", (notStarted) => listener({ notStarted }));
        child.on("exit", (exitCode, signal) => {
          // What it started may still be there; a group's number is not given away while it has members.
          if (child.pid !== undefined) killGroup(child.pid);
          listener({ exitCode, signal });
        });
      },
    },
    seats: started ? Array.from({ length: seatCount }, (_, index) => seatAt(child, index)) : [],
  };
}

export function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Nobody of the group is left.
  }
}

function seatAt(child: ChildProcess, index: number): Seat {
  const first = FIRST_SEAT + index * SEAT_PIPES;
  return {
    descriptors: [first, first + 1, first + 2],
    socket: pipe(child, first),
    stdout: pipe(child, first + 1),
    stderr: pipe(child, first + 2),
  };
}

/** Node makes its pipes as socket pairs. */
function pipe(child: ChildProcess, descriptor: number): Socket {
  return child.stdio[descriptor as 3] as Socket;
}
