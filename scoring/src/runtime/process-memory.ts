import { readFileSync } from "node:fs";

/** Resident bytes of a process and everything it started; 0 when it is gone or the system has no /proc. */
export function residentBytes(pid: number): number {
  try {
    // In kB, whatever the size of a page is here; `statm` counts pages.
    const resident = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1];
    return Number(resident ?? 0) * 1024 + children(pid).reduce((sum, child) => sum + residentBytes(child), 0);
  } catch {
    return 0;
  }
}

function children(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").trim();
    return text === "" ? [] : text.split(" ").map(Number);
  } catch {
    return [];
  }
}
