import { readdir, readFile } from "node:fs/promises";
import { sep } from "node:path";
import { eventually } from "../../../e2e/src/harness/installation.ts";

export interface ReplicaProcesses {
  readonly scorer: number;
  readonly worker: number;
}

/** The processes of an installation's only replica: in its sandbox, a worker is told by its interpreter's place. */
export function replicaProcesses(dataFolder: string): Promise<ReplicaProcesses> {
  return eventually(async () => {
    const commands = await runningCommands();
    const find = (program: RegExp, place: string) =>
      commands.find(
        ({ words }) => words.some((word) => program.test(word)) && words.some((word) => word.startsWith(place)),
      )?.pid;
    const scorer = find(/scoring\/(src|dist)\/main\.[jt]s$/, `${dataFolder}${sep}run${sep}`);
    const worker = commands.find(
      ({ words: [program = "", script = ""] }) =>
        program.startsWith(`${dataFolder}${sep}environments${sep}`) && script.includes("slipway_worker"),
    )?.pid;
    return scorer !== undefined && worker !== undefined ? { scorer, worker } : undefined;
  });
}

async function runningCommands() {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  return Promise.all(
    pids.map(async (pid) => ({
      pid: Number(pid),
      // One that has just ended.
      words: (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).split("\0"),
    })),
  );
}
