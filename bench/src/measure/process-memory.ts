import { readdir, readFile, writeFile } from "node:fs/promises";

/** From now on the kernel notes the peak anew (proc_pid_clear_refs(5)): exact where sampling would miss short peaks. */
export async function resetPeakMemory(pid: number): Promise<void> {
  await writeFile(`/proc/${pid}/clear_refs`, "5");
}

/** The largest resident size since {@link resetPeakMemory}. */
export async function peakMemoryMiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
}

/** Memory of a process and all that it started: pages that several processes share count by share (PSS). */
export async function sharedMemoryMiB(pid: number): Promise<number> {
  let kiB = 0;
  for (const one of await familyOf(pid)) {
    // One that has just ended has none.
    const rollup = await readFile(`/proc/${one}/smaps_rollup`, "utf8").catch(() => "");
    kiB += Number(/^Pss:\s+(\d+) kB$/m.exec(rollup)?.[1] ?? 0);
  }
  return kiB / 1024;
}

async function familyOf(pid: number): Promise<readonly number[]> {
  const parents = new Map<number, number>();
  for (const entry of await readdir("/proc")) {
    const stat = /^\d+$/.test(entry) ? await readFile(`/proc/${entry}/stat`, "utf8").catch(() => "") : "";
    // After the name, which may hold anything: state and parent.
    const parent = /^ \w (\d+)/.exec(stat.slice(stat.lastIndexOf(")") + 1))?.[1];
    if (parent !== undefined) parents.set(Number(entry), Number(parent));
  }
  const family = [pid];
  for (const one of family) for (const [child, parent] of parents) if (parent === one) family.push(child);
  return family;
}
