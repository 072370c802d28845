import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readLogs, retireLogs } from "./replica-logs.ts";
import { runFolder } from "./run-folder.ts";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "slipway-logs-"));
});
afterEach(() => rm(root, { recursive: true }));

async function write(id: string, index: number, files: Readonly<Record<string, string>>) {
  const run = runFolder(root, id, index);
  await mkdir(run.logs, { recursive: true });
  for (const [name, text] of Object.entries(files)) await writeFile(join(run.logs, name), text);
  return run;
}

test("the rotated log comes first, what a crash left comes last", async () => {
  await write("abc", 0, {
    "scorer.log.1": "2026-11-22T10:00:00.000Z scorer: one\n",
    "scorer.log": "2026-11-22T10:00:01.000Z scorer: two\n",
    "crash.log": "Error: three\n    at four\n",
  });
  expect(await readLogs(root, "abc", 100)).toBe(
    "2026-11-22T10:00:00.000Z scorer: one\n2026-11-22T10:00:01.000Z scorer: two\nError: three\n    at four\n",
  );
  expect(await readLogs(root, "abc", 1)).toBe("    at four\n");
  expect(await readLogs(root, "abc", 0)).toBe("");
});

test("replicas are merged by time; a line without one stays with the line before it", async () => {
  await write("abc", 0, { "scorer.log": "2026-11-22T10:00:00Z a\n  more of a\n2026-11-22T10:00:02Z c\n" });
  await write("abc", 1, { "scorer.log": "2026-11-22T10:00:01Z b\n" });
  await write("abcd", 0, { "scorer.log": "2026-11-22T10:00:01Z of another deployment\n" });
  expect((await readLogs(root, "abc", 100)).split("\n")).toEqual([
    "[abc-0] 2026-11-22T10:00:00Z a",
    "[abc-0]   more of a",
    "[abc-1] 2026-11-22T10:00:01Z b",
    "[abc-0] 2026-11-22T10:00:02Z c",
    "",
  ]);
});

test("only the end of a huge log is read, beginning with a whole line", async () => {
  const line = `2026-11-22T10:00:00Z ${"x".repeat(1000)}\n`;
  await write("abc", 0, { "scorer.log": line.repeat(3000) });
  const lines = (await readLogs(root, "abc", 10_000)).trimEnd().split("\n");
  expect(lines.length).toBeLessThan(1100);
  expect(new Set(lines).size).toBe(1);
});

test("what user code may have put in place of a log is not followed", async () => {
  const secret = join(root, "key");
  await writeFile(secret, "the key of the control plane\n");
  const { logs } = await write("abc", 0, { "scorer.log.1": "2026-11-22T10:00:00Z kept\n" });
  await symlink(secret, join(logs, "scorer.log"));
  await promisify(execFile)("mkfifo", [join(logs, "crash.log")]);
  expect(await readLogs(root, "abc", 100)).toBe("2026-11-22T10:00:00Z kept\n");
});

test("what is in no file yet comes last", async () => {
  await write("abc", 0, { "scorer.log": "2026-11-22T10:00:00Z one\n" });
  expect(await readLogs(root, "abc", 100, async ({ replicaId }) => `Error in ${replicaId}\n`)).toBe(
    "2026-11-22T10:00:00Z one\nError in abc-0\n",
  );
});

test("logs are found after the replica is retired, together with those of its next life", async () => {
  const run = await write("abc", 0, { "scorer.log": "2026-11-22T10:00:00Z first life\n" });
  await retireLogs(root, "abc", run);
  expect(await readLogs(root, "abc", 100)).toContain("first life");
  await write("abc", 0, { "scorer.log": "2026-11-22T11:00:00Z second life\n" });
  expect(await readLogs(root, "abc", 100)).toMatch(/first life\n.*second life\n$/);
  await retireLogs(root, "abc", run);
  expect(await readLogs(root, "abc", 100)).toContain("second life");
  await retireLogs(root, "abc", run);
});

test("the logs of the last twenty deployments are kept", async () => {
  for (let number = 0; number < 25; number++) {
    const run = await write(`old${number}`, 0, { "scorer.log": "line\n" });
    await retireLogs(root, `old${number}`, run);
    const at = new Date(Date.UTC(2026, 10, 22, 10, number));
    await utimes(join(root, "retired", `old${number}`), at, at);
  }
  await retireLogs(root, "newest", await write("newest", 0, { "scorer.log": "line\n" }));
  const kept = await readdir(join(root, "retired"));
  expect(kept).toHaveLength(20);
  expect(kept).toContain("newest");
  expect(kept).not.toContain("old0");
});
