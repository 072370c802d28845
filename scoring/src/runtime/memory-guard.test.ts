import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openRotatingLog } from "../rotating-log.ts";
import type { ScorerLog } from "../scorer-log.ts";
import { memoryGuard } from "./memory-guard.ts";

let folder: string;
let log: ScorerLog;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "slipway-guard-"));
  log = openRotatingLog(join(folder, "scorer.log"));
});
afterEach(() => {
  log.close();
  rmSync(folder, { recursive: true, force: true });
});

describe.each([
  ["cgroup-v1", "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill "],
  ["cgroup-v2", "memory.events", "low 0\nhigh 0\nmax 12\noom 3\noom_group_kill 9\noom_kill "],
] as const)("%s", (kind, file, before) => {
  const kills = (count: number) => writeFileSync(join(folder, file), `${before}${count}\n`);

  it("puts workers into the cgroup and attributes each of the kernel's kills once", () => {
    kills(2);
    const guard = memoryGuard({ memoryGuard: kind, cgroup: folder, memoryLimitBytes: 1 }, log, () => []);
    guard.admit(4711);
    expect(readFileSync(join(folder, "cgroup.procs"), "utf8")).toBe("4711");
    expect(guard.takeKernelKill()).toBe(false);
    kills(4);
    expect([guard.takeKernelKill(), guard.takeKernelKill(), guard.takeKernelKill()]).toEqual([true, true, false]);
    guard.stop();
  });
});

it("watches the workers when the cgroup cannot be used", async () => {
  let used = 0;
  const worker = { bytes: () => process.memoryUsage().rss, kill: (bytes: number) => (used = bytes) };
  const cgroup = join(folder, "missing");
  const guard = memoryGuard({ memoryGuard: "cgroup-v2", cgroup, memoryLimitBytes: 1024 }, log, () => [worker]);
  guard.admit(process.pid);
  await expect.poll(() => used).toBeGreaterThan(1024 * 1024);
  guard.stop();
  expect(readFileSync(join(folder, "scorer.log"), "utf8")).toContain("watched instead");
});

it("leaves workers within the limit alone", async () => {
  let looked = 0;
  const killed: number[] = [];
  const workers = () => {
    looked += 1;
    return [{ bytes: () => process.memoryUsage().rss, kill: (bytes: number) => killed.push(bytes) }];
  };
  const guard = memoryGuard({ memoryGuard: "watchdog", memoryLimitBytes: 1e12 }, log, workers);
  await expect.poll(() => looked).toBeGreaterThan(1);
  guard.stop();
  expect(killed).toEqual([]);
});
