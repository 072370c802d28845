import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ScorerConfig } from "@slipway/api";
import type { ScorerLog } from "../scorer-log.ts";

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
  log: ScorerLog,
  workers: () => readonly WatchedWorker[],
): MemoryGuard {
  const { memoryLimitBytes: limit } = config;
  const cgroup = config.memoryGuard.startsWith("cgroup") ? config.cgroup : undefined;
  const killCounts = killCountFiles(config);
  const countKills = () => kernelKills(killCounts);
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
      if (config.memoryGuard === "container") preferAsVictim(pid);
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

/** Scorer and workers share one limit: with the scorer the service would end, and nobody could say why. */
function preferAsVictim(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, "1000");
  } catch {
    // It has ended already.
  }
}

/** Where the kernel counts its kills: in the workers' cgroup, or in that of the container which all of this runs in. */
function killCountFiles({ memoryGuard, cgroup }: Pick<ScorerConfig, "memoryGuard" | "cgroup">): readonly string[] {
  switch (memoryGuard) {
    case "cgroup-v2":
      return cgroup === undefined ? [] : [join(cgroup, "memory.events")];
    case "cgroup-v1":
      return cgroup === undefined ? [] : [join(cgroup, "memory.oom_control")];
    case "container":
      return ["/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"];
    case "watchdog":
    case "none":
      return [];
  }
}

function kernelKills(files: readonly string[]): number {
  for (const file of files) {
    try {
      return Number(/^oom_kill (\d+)$/m.exec(readFileSync(file, "latin1"))?.[1] ?? 0);
    } catch {
      // The other version of cgroups, or none that can be seen from here.
    }
  }
  return 0;
}
