import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { detectCgroups, joinCgroup } from "./cgroup.ts";
import { newShortId } from "./ids.ts";

const MiB = 1024 * 1024;
const found = await detectCgroups({ group: ["slipway", newShortId()] });

describe.skipIf(found === undefined)("control groups of this machine", () => {
  const cgroups = found as NonNullable<typeof found>;

  test("a program over the limit is killed, and the group counts it", async () => {
    const cgroup = await cgroups.create("hungry", { memoryBytes: 64 * MiB, cpu: 0.5 });
    const [program = "", ...args] = joinCgroup(cgroup, ["python3", "-c", "x = b'1' * 300_000_000"]);
    expect(await once(spawn(program, args), "exit")).toEqual([null, "SIGKILL"]);
    const counters = cgroups.memory === "cgroup-v1" ? "memory.oom_control" : "memory.events";
    expect(await readFile(join(cgroup.memoryFolder, counters), "utf8")).toMatch(/^oom_kill 1$/m);
    await cgroups.remove("hungry");
  });

  test("made again it has the new limits, higher or lower", async () => {
    const limitFile = cgroups.memory === "cgroup-v1" ? "memory.limit_in_bytes" : "memory.max";
    for (const memoryBytes of [64 * MiB, 256 * MiB, 32 * MiB]) {
      const { memoryFolder } = await cgroups.create("changing", { memoryBytes, cpu: 1 });
      expect(Number(await readFile(join(memoryFolder, limitFile), "utf8"))).toBe(memoryBytes);
    }
    await cgroups.remove("changing");
  });

  test("removing ends what still runs; removing again is no error; nothing is left", async () => {
    const cgroup = await cgroups.create("running", { memoryBytes: 64 * MiB, cpu: 1 });
    const [program = "", ...args] = joinCgroup(cgroup, ["sh", "-c", "echo in; sleep 60 & wait"]);
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "ignore"] });
    await once(child.stdout, "data");
    const exited = once(child, "exit");
    await cgroups.remove("running");
    expect(await exited).toEqual([null, "SIGKILL"]);
    await cgroups.remove("running");
    const parent = dirname(dirname(cgroup.memoryFolder));
    expect(await readdir(parent)).not.toContain(dirname(cgroup.memoryFolder));
  });
});
