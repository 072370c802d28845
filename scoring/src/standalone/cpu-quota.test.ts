import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { cpuQuota } from "./cpu-quota.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "slipway-quota-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

it.each([
  ["150000 100000\n", 1.5],
  ["max 100000\n", undefined],
])("reads %j of version 2", (text, expected) => {
  writeFileSync(join(folder, "cpu.max"), text);
  expect(cpuQuota(folder)).toBe(expected);
});

it.each([
  ["200000\n", 2],
  ["-1\n", undefined],
])("reads a quota of %j of version 1", (quota, expected) => {
  mkdirSync(join(folder, "cpu"));
  writeFileSync(join(folder, "cpu", "cpu.cfs_quota_us"), quota);
  writeFileSync(join(folder, "cpu", "cpu.cfs_period_us"), "100000\n");
  expect(cpuQuota(folder)).toBe(expected);
});

it("finds no limit where there are no cgroups", () => {
  expect(cpuQuota(join(folder, "nowhere"))).toBeUndefined();
});
