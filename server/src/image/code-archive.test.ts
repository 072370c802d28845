import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { newBudget, type UnpackLimits, unpackArchive, unpackLimits } from "./code-archive.ts";
import { tarGz } from "./image-test-room.ts";

describe("unpacking an archive of code", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "slipway-archive-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function unpack(bytes: Uint8Array, limits: UnpackLimits = unpackLimits, signal = new AbortController().signal) {
    const own = await mkdtemp(join(folder, "members-"));
    const archive = { name: "code.tar.gz", sizeBytes: bytes.length, bytes: () => Readable.from(chunks(bytes)) };
    return unpackArchive(archive, own, newBudget(limits), signal, limits);
  }

  it("gives every file with its clean name, contents and executable bit", async () => {
    const bytes = await tarGz([
      { name: "./lib/", type: "directory" },
      { name: "./lib//run.sh", content: "echo hi", mode: 0o755 },
      { name: "lib/größe.py", content: "x = 1" },
      { name: `${"deep/".repeat(40)}file.py`, content: "long names need an extra header" },
    ]);
    const { root, members } = await unpack(bytes);
    expect(root).toBe("lib");
    expect(members.map(({ name, executable }) => [name, executable])).toEqual([
      ["lib/run.sh", true],
      ["lib/größe.py", false],
      [`${"deep/".repeat(40)}file.py`, false],
    ]);
    expect(await Promise.all(members.map(({ file }) => readFile(file, "utf8")))).toEqual([
      "echo hi",
      "x = 1",
      "long names need an extra header",
    ]);
  });

  it("takes the last of two members with one name", async () => {
    const { members } = await unpack(
      await tarGz([
        { name: "score.py", content: "old" },
        { name: "./score.py", content: "new" },
      ]),
    );
    expect(members).toHaveLength(1);
    expect(await readFile(members[0]?.file ?? "", "utf8")).toBe("new");
  });

  it.each([
    ["a path that leads out", { name: "../evil.py" }, /leads out of its folder/],
    ["a path that leads out in the middle", { name: "a/../../evil.py" }, /leads out of its folder/],
    ["an absolute path", { name: "/etc/passwd" }, /absolute path/],
    ["an absolute path of Windows", { name: "C:/evil.py" }, /absolute path/],
    ["a backslash", { name: "..\\evil.py" }, /\\\\/],
    ["a control character", { name: "a\u0007.py" }, /control character/],
    ["a NUL in an extended header", { name: "a.py", pax: { path: "a\u0000b.py" } }, /control character/],
    ["a symbolic link", { name: "link", type: "symlink", linkname: "/etc/passwd" }, /is a link/],
    ["a hard link", { name: "link", type: "link", linkname: "score.py" }, /is a link/],
    ["a device", { name: "dev", type: "character-device", devmajor: 1, devminor: 3 }, /neither a file nor a folder/],
    ["a pipe", { name: "fifo", type: "fifo" }, /neither a file nor a folder/],
    ["a part of a name that no file system takes", { name: `${"a".repeat(256)}.py` }, /longer than 255 bytes/],
  ] as const)("refuses %s and names the member", async (_what, member, message) => {
    const bytes = await tarGz([{ name: "score.py", content: "fine" }, member]);
    await expect(unpack(bytes)).rejects.toMatchObject({
      code: "ArchiveMemberRefused",
      kind: "invalid",
      message: expect.stringMatching(message),
    });
  });

  it("stops a bomb before it is on the disk", async () => {
    const bytes = await tarGz([{ name: "zeros", content: new Uint8Array(3 * 1024 * 1024) }]);
    const limits = { ...unpackLimits, freeBytes: 1024 * 1024, ratio: 100 };
    await expect(unpack(bytes, limits)).rejects.toMatchObject({
      code: "ArchiveTooLarge",
      message: expect.stringContaining("100 times its size"),
    });
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile());
    const sizes = await Promise.all(files.map(async (file) => (await stat(join(file.parentPath, file.name))).size));
    expect(Math.max(0, ...sizes)).toBeLessThan(2 * 1024 * 1024);
  });

  it("limits the bytes and the members of all archives together", async () => {
    const three = await tarGz([1, 2, 3].map((number) => ({ name: `${number}.py`, content: "x" })));
    await expect(unpack(three, { ...unpackLimits, members: 2 })).rejects.toMatchObject({ code: "ArchiveTooLarge" });
    await expect(unpack(three, { ...unpackLimits, totalBytes: 1024 })).rejects.toMatchObject({
      code: "ArchiveTooLarge",
    });
    const limits = { ...unpackLimits, members: 5 };
    const budget = newBudget(limits);
    const archive = { name: "code.tar.gz", sizeBytes: three.length, bytes: () => Readable.from(chunks(three)) };
    const { signal } = new AbortController();
    await unpackArchive(archive, folder, budget, signal, limits);
    await expect(unpackArchive(archive, folder, budget, signal, limits)).rejects.toMatchObject({
      code: "ArchiveTooLarge",
    });
  });

  it.each([
    ["not compressed", Buffer.from("just text, no archive")],
    ["empty", Buffer.alloc(0)],
    ["compressed, but no tar", gzipSync(Buffer.alloc(2048, "a"))],
  ])("says that a file is no archive: %s", async (_what, bytes) => {
    await expect(unpack(bytes)).rejects.toMatchObject({
      code: "ArchiveInvalid",
      kind: "invalid",
      message: expect.stringContaining("code.tar.gz"),
    });
  });

  it("says that an archive was cut off", async () => {
    const bytes = await tarGz([
      { name: "data", content: Buffer.from(Array.from({ length: 9000 }, () => Math.random() * 256)) },
    ]);
    await expect(unpack(bytes.subarray(0, bytes.length / 2))).rejects.toMatchObject({ code: "ArchiveInvalid" });
    await expect(unpack(bytes)).resolves.toBeDefined();
  });

  it("stops when it is told to", async () => {
    const bytes = await tarGz([{ name: "score.py", content: "x" }]);
    await expect(unpack(bytes, unpackLimits, AbortSignal.abort(new Error("stopped")))).rejects.toThrow("stopped");
  });
});

function* chunks(bytes: Uint8Array): Iterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000);
}
