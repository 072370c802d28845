import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { findProcesses, identifyProcess, isAlive, killGroup, parseStat, signalProcess } from "./process-identity.ts";

test("the program's name may hold brackets and spaces", () => {
  const fields = ["S", "1", "22", "23", ...Array.from({ length: 15 }, () => "0"), "98765", "0"].join(" ");
  expect(parseStat(`17 (a) b (c) ${fields}\n`)).toEqual({ state: "S", group: 22, session: 23, startTicks: "98765" });
  expect(parseStat("17 (cut off) S 1")).toBeUndefined();
});

describe.runIf(process.platform === "linux")("real processes", () => {
  test("this process is alive; the same pid with another start time is not", async () => {
    const self = await identifyProcess(process.pid);
    if (self === undefined) throw new Error("This process was not found.");
    expect(await isAlive(self)).toBe(true);
    expect(await isAlive({ ...self, startTicks: "1" })).toBe(false);
    expect(await isAlive({ ...self, bootId: "another boot" })).toBe(false);
  });

  test("a signal is not sent to a process that only has the pid", async () => {
    const child = spawn("sleep", ["60"]);
    const identity = await identifyProcess(pidOf(child));
    if (identity === undefined) throw new Error("The child was not found.");
    await signalProcess({ ...identity, startTicks: "1" }, "SIGKILL");
    expect(await isAlive(identity)).toBe(true);
    await signalProcess(identity, "SIGTERM");
    expect(await once(child, "exit")).toEqual([null, "SIGTERM"]);
    expect(await isAlive(identity)).toBe(false);
    await signalProcess(identity, "SIGKILL");
  });

  test("a zombie is gone", async () => {
    // The shell becomes a sleep that never reaps the child it had.
    const parent = spawn("sh", ["-c", "sleep 0 & echo $!; exec sleep 60"], { stdio: ["ignore", "pipe", "ignore"] });
    const [output] = await once(parent.stdout, "data");
    const zombie = Number(String(output));
    const deadline = performance.now() + 30_000;
    while ((await identifyProcess(zombie)) !== undefined && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(await identifyProcess(zombie)).toBeUndefined();
    expect(process.kill(zombie, 0)).toBe(true);
    parent.kill("SIGKILL");
    await once(parent, "exit");
  });

  test("what a dead leader leaves behind is ended with its group", async () => {
    const leader = spawn("sh", ["-c", "sleep 61 & echo $!; wait"], {
      stdio: ["ignore", "pipe", "ignore"],
      detached: true,
    });
    const [output] = await once(leader.stdout, "data");
    const identity = await identifyProcess(pidOf(leader));
    const member = await identifyProcess(Number(String(output)));
    if (identity === undefined || member === undefined) throw new Error("The processes were not found.");
    leader.kill("SIGKILL");
    await once(leader, "exit");
    expect(await isAlive(member)).toBe(true);
    await killGroup({ ...identity, bootId: "another boot" });
    expect(await isAlive(member)).toBe(true);
    await killGroup(identity);
    expect(await isAlive(member)).toBe(false);
  });

  test("processes are found by their arguments", async () => {
    const child = spawn("sh", ["-c", "sleep 60; :", "sh", "an argument of its own 4711"]);
    const matches = (args: readonly string[]) => args.at(-1) === "an argument of its own 4711";
    const deadline = performance.now() + 30_000;
    let found = await findProcesses(matches);
    while (found.length === 0 && performance.now() < deadline) found = await findProcesses(matches);
    expect(found.map(({ pid }) => pid)).toEqual([child.pid]);
    child.kill("SIGKILL");
    await once(child, "exit");
  });
});

function pidOf({ pid }: ChildProcess): number {
  if (pid === undefined) throw new Error("The process was not started.");
  return pid;
}
