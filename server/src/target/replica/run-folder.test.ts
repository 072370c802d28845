import { chmod, mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { existingRunFolders, runFolder, runFolderAt, socketPaths } from "./run-folder.ts";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "slipway-run-"));
});
afterEach(() => rm(root, { recursive: true }));

test.each(["", "..", "a/b", "a-b", "a b", "ä", "a".repeat(41)])("the id %j names no folder", (id) => {
  expect(() => runFolder(root, id, 0)).toThrow("cannot name a folder");
});

test("run folders are found by deployment, in the order of their numbers; others are not touched", async () => {
  for (const name of ["abc-0", "abc-10", "abc-2", "abcd-0", "retired", "compile-cache", "abc-x"]) {
    await mkdir(join(root, name));
  }
  expect((await existingRunFolders(root, "abc")).map((run) => run.replicaId)).toEqual(["abc-0", "abc-2", "abc-10"]);
  expect(await existingRunFolders(root)).toHaveLength(4);
  expect(await existingRunFolders(join(root, "nothing"))).toEqual([]);
  expect(runFolderAt(join(root, "abc-2"))).toEqual(runFolder(root, "abc", 2));
});

test("sockets lie in the run folder while its path is short enough", async () => {
  const run = runFolder(root, "abc", 0);
  expect(await socketPaths(run, root)).toEqual({
    httpSocket: join(run.folder, "http.sock"),
    framesSocket: join(run.folder, "frames.sock"),
  });
});

test("sockets of long paths lie in a folder of our own, each replica's under its own name", async () => {
  const long = join(root, "x".repeat(100));
  const one = await socketPaths(runFolder(long, "abc", 0), root);
  const other = await socketPaths(runFolder(long, "abc", 1), root);
  expect(new Set([one.httpSocket, one.framesSocket, other.httpSocket, other.framesSocket]).size).toBe(4);
  for (const path of Object.values(one)) expect(Buffer.byteLength(path)).toBeLessThanOrEqual(100);
  expect(await socketPaths(runFolder(long, "abc", 0), root)).toEqual(one);
});

test.each([
  ["others may enter", async (folder: string) => mkdir(folder).then(() => chmod(folder, 0o755))],
  [
    "is a link",
    async (folder: string) => mkdir(`${folder}-elsewhere`).then(() => symlink(`${folder}-elsewhere`, folder)),
  ],
])("a short folder that %s is refused", async (_, prepare) => {
  await prepare(join(root, `slipway-${process.getuid?.()}`));
  const run = runFolder(join(root, "x".repeat(100)), "abc", 0);
  await expect(socketPaths(run, root)).rejects.toMatchObject({ code: "SocketFolderUnsafe" });
});
