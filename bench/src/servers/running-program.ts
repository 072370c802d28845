import { spawn } from "node:child_process";
import { once } from "node:events";
import { open, readFile } from "node:fs/promises";
import { join } from "node:path";

export interface RunningProgram {
  readonly pid: number;
  /** @throws with the program's last words if it ends, or what is waited for fails */
  whileItRuns<T>(waited: Promise<T>): Promise<T>;
  stop(): Promise<void>;
}

const STOP_MS = 10_000;

/** Starts a program in the folder, in a group of its own, with `server.log` for its output. */
export async function runProgram(
  folder: string,
  [program = "", ...args]: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<RunningProgram> {
  const log = join(folder, "server.log");
  await using output = await open(log, "w");
  const child = spawn(program, args, {
    cwd: folder,
    env: { ...process.env, ...env },
    detached: true,
    stdio: ["ignore", output.fd, output.fd],
  });
  const exited = once(child, "exit");
  const ended = exited.then(
    ([code]) => Promise.reject(new Error(`it ended with ${code}`)),
    (error) => Promise.reject(error),
  );
  // Whoever waits hears of it.
  ended.catch(() => {});
  const { pid } = child;
  if (pid === undefined) return ended;
  return {
    pid,
    async whileItRuns(waited) {
      try {
        return await Promise.race([ended, waited]);
      } catch (error) {
        const tail = (await readFile(log, "utf8")).trim().split("\n").slice(-3).join(" | ");
        throw new Error(`${(error as Error).message} (${tail})`, { cause: error });
      }
    },
    async stop() {
      // Its whole group: servers have workers.
      for (const signal of ["SIGTERM", "SIGKILL"] as const) {
        endGroup(pid, signal);
        const late = new Promise((resolve) => setTimeout(resolve, STOP_MS).unref());
        await Promise.race([exited, late]);
      }
    },
  };
}

function endGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
