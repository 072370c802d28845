import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ScorerConfig } from "@slipway/api";
import type { RotatingLog } from "../rotating-log.ts";

/** Fast enough for a model that is loaded, too slow for an array that fills the machine at once: the best without a cgroup. */
const WATCH_MS = 250;

export interface MemoryGuard {
  /** To be called right after a worker's start. */
  admit(pid: number): void;
  /** Did the kernel kill somebody here for memory since the last time this was asked? */
  takeKernelKill(): boolean;
  stop(): void;
}

export interface WatchedWorker {
  bytes(): number;
  kill(usedBytes: number): void;
}

/** Holds the workers together to `memoryLimitBytes`, by the kernel where the target made a cgroup, else by looking. */
export function memoryGuard(
  config: Pick<ScorerConfig, "memoryGuard" | "memoryLimitBytes" | "cgroup">,
  log: RotatingLog,
  workers: () => readonly WatchedWorker[],
): MemoryGuard {
  const { memoryLimitBytes: limit } = config;
  const cgroup = config.memoryGuard.startsWith("cgroup") ? config.cgroup : undefined;
  const countKills = () => (cgroup === undefined ? 0 : kernelKills(cgroup, config.memoryGuard === "cgroup-v2"));
  let seenKills = countKills();
  let timer: NodeJS.Timeout | undefined;

  const watch = () => {
    if (timer !== undefined || limit === undefined) return;
    timer = setInterval(() => {
      const sizes = workers().map((worker) => ({ worker, bytes: worker.bytes() }));
      const total = sizes.reduce((sum, { bytes }) => sum + bytes, 0);
      if (total <= limit) return;
      const largest = sizes.reduce((a, b) => (b.bytes > a.bytes ? b : a));
      largest.worker.kill(total);
    }, WATCH_MS);
    timer.unref();
  };
  if (config.memoryGuard === "watchdog") watch();

  return {
    admit(pid) {
      if (cgroup === undefined) return;
      try {
        writeFileSync(join(cgroup, "cgroup.procs"), String(pid));
      } catch (error) {
        log.write(
          "scorer",
          `The memory limit's cgroup ${cgroup} cannot be used (${error}); its workers are watched instead.`,
        );
        watch();
      }
    },
    takeKernelKill() {
      const kills = countKills();
      if (kills <= seenKills) return false;
      // One at a time: each death that follows asks for itself.
      seenKills += 1;
      return true;
    },
    stop: () => clearInterval(timer),
  };
}

function kernelKills(cgroup: string, v2: boolean): number {
  try {
    const text = readFileSync(join(cgroup, v2 ? "memory.events" : "memory.oom_control"), "latin1");
    return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0);
  } catch {
    return 0;
  }
}
