import { readFileSync } from "node:fs";

/** How many processors the container may use together, if it is limited: `docker run --cpus`, `limits.cpu` of a pod. */
export function cpuQuota(cgroups = "/sys/fs/cgroup"): number | undefined {
  const [limit, period] = read(`${cgroups}/cpu.max`)?.split(" ") ?? [
    read(`${cgroups}/cpu/cpu.cfs_quota_us`),
    read(`${cgroups}/cpu/cpu.cfs_period_us`),
  ];
  const quota = Number(limit) / Number(period);
  // "max" of version 2 and -1 of version 1 stand for no limit.
  return Number.isFinite(quota) && quota > 0 ? quota : undefined;
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, "latin1").trim();
  } catch {
    return undefined;
  }
}
