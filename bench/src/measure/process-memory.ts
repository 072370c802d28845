import { readFile, writeFile } from "node:fs/promises";

/** From now on the kernel notes the peak anew (proc_pid_clear_refs(5)): exact where sampling would miss short peaks. */
export async function resetPeakMemory(pid: number): Promise<void> {
  await writeFile(`/proc/${pid}/clear_refs`, "5");
}

/** The largest resident size since {@link resetPeakMemory}. */
export async function peakMemoryMiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
}
