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

/** A process's part of its resident bytes: a page that n processes share counts as an n-th. Resident bytes where that cannot be read. */
export function proportionalBytes(pid: number): number {
  try {
    const part = /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "latin1"))?.[1];
    return part === undefined ? residentBytes(pid) : Number(part) * 1024;
  } catch {
    return residentBytes(pid);
  }
}

/** The number here of the process that `ancestor`, or one below it, knows as `pid`: a sandbox has numbers of its own. */
export function descendantWithPid(ancestor: number, pid: number): number | undefined {
  for (const child of children(ancestor)) {
    if (innermostPid(child) === pid) return child;
    const found = descendantWithPid(child, pid);
    if (found !== undefined) return found;
  }
  return undefined;
}

function innermostPid(pid: number): number | undefined {
  try {
    const numbers = /^NSpid:\s+(.+)$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1];
    return Number(numbers?.split("\t").at(-1));
  } catch {
    return undefined;
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
