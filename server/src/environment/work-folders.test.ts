import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createWorkFolders } from "./work-folders.ts";

let parent: string;
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), "work-folders-"));
});
afterEach(() => rm(parent, { recursive: true, force: true }));

it("removes a folder after use, also after a failure", async () => {
  const folders = createWorkFolders(parent);
  await folders.use(async (folder) => expect(existsSync(folder)).toBe(true));
  await expect(folders.use(async () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(await readdir(parent)).toEqual([]);
});

it("removes what dead processes left and nothing of living ones", async () => {
  const folders = createWorkFolders(parent);
  await mkdir(join(parent, "00000000-0000-0000-0000-000000000000_1_1_abc"));
  await mkdir(join(parent, "nonsense"));
  await folders.use(async (folder) => {
    expect(await folders.removeAbandoned()).toBe(2);
    expect(existsSync(folder)).toBe(true);
  });
});

it("ends what a dead process started there, and nothing else", async () => {
  const abandoned = join(parent, "00000000-0000-0000-0000-000000000000_1_1_abc");
  await mkdir(abandoned);
  const start = (folder: string) => spawn("/bin/sh", ["-c", "read line", join(folder, "tree")], { detached: true });
  const [orphan, stranger] = [start(abandoned), start(`${abandoned}-of-another`)];
  const ended = once(orphan, "exit");
  await createWorkFolders(parent).removeAbandoned();
  expect((await ended)[1]).toBe("SIGKILL");
  expect(existsSync(abandoned)).toBe(false);
  expect(stranger.exitCode).toBeNull();
  stranger.stdin.end();
  await once(stranger, "exit");
});
