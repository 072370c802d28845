import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { detectCgroups, joinCgroup } from "./cgroup.ts";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "cgroup-"));
});
afterEach(() => rm(root, { recursive: true }));

test("a machine without control groups has none", async () => {
  expect(await detectCgroups({ group: ["a"], root })).toBeUndefined();
});

test("a mounted v2 tree without a memory controller is not used", async () => {
  await writeFile(join(root, "cgroup.controllers"), "hugetlb\n");
  await writeFile(join(root, "cgroup.subtree_control"), "\n");
  expect(await detectCgroups({ group: ["a"], root })).toBeUndefined();
});

test("a v1 tree in which no groups can be made is not used", async () => {
  await mkdir(join(root, "memory"));
  await writeFile(join(root, "memory", "memory.limit_in_bytes"), "9223372036854771712\n");
  await writeFile(join(root, "memory", "a"), "a file where the group's folder should be");
  expect(await detectCgroups({ group: ["a"], root })).toBeUndefined();
});

test("a command joins every folder and then becomes the program", async () => {
  await mkdir(join(root, "one"));
  await mkdir(join(root, "two"));
  const cgroup = { folders: [join(root, "one"), join(root, "two")], memoryFolder: join(root, "one") };
  const [program = "", ...args] = joinCgroup(cgroup, ["printf", "%s|", "it's", "$HOME"]);
  expect(execFileSync(program, args, { encoding: "utf8" })).toBe("it's|$HOME|");
  for (const folder of cgroup.folders) expect(await readFile(join(folder, "cgroup.procs"), "utf8")).toBe("0\n");
});
