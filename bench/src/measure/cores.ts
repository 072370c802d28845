import { execFileSync } from "node:child_process";

export interface Cores {
  /** all that this process may use, as taskset writes them */
  readonly all: string;
  readonly server: number;
  readonly load: number;
}

/** Two cores of those that this process may use. @throws if there is only one: then load and server cannot be kept apart */
export function twoCores(): Cores {
  const [, all = ""] = taskset(["-cp", String(process.pid)])
    .trim()
    .split(": ");
  const [server, load] = all.split(",").flatMap((range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
  if (server === undefined || load === undefined)
    throw new Error(`Two cores are needed; here there is only core ${all}.`);
  return { all, server, load };
}

/** This process with all its threads; what it starts from now on inherits it, what it started before keeps its own. */
export function pinSelf(cores: number | string): void {
  taskset(["-acp", String(cores), String(process.pid)]);
}

export function pinned(core: number, command: readonly string[]): string[] {
  return ["taskset", "-c", String(core), ...command];
}

function taskset(args: readonly string[]): string {
  return execFileSync("taskset", args, { encoding: "utf8" });
}
