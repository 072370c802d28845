import { readdir, readFile } from "node:fs/promises";
import type { StartFile } from "@slipway/api";

/** Whether the process of a start file runs, whoever started it: its last two arguments, program and run folder, name it. */
export async function runsAlready({ command }: StartFile): Promise<boolean> {
  const [program, folder] = command.slice(-2);
  for (const pid of await readdir("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    // A process that ends while it is looked at is none.
    const args = (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).split("\0").slice(0, -1);
    if (args.at(-2) === program && args.at(-1) === folder) return true;
  }
  return false;
}
