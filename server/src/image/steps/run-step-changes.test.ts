import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { extract, type Header, pack } from "tar-stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readStepChanges, writeStepLayer } from "./run-step-changes.ts";

type Member = Partial<Header> & { readonly name: string; readonly content?: string };

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-step-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function read(...members: readonly Member[]) {
  const tar = pack();
  for (const { content = "", ...header } of members) tar.entry(header, content);
  tar.finalize();
  const bytes = await buffer(tar);
  const file = join(folder, "layer.tar");
  await writeFile(file, bytes);
  const diffId = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  return { file, changes: await readStepChanges(file, diffId, AbortSignal.timeout(15_000)) };
}

async function rewritten(...members: readonly Member[]): Promise<Buffer> {
  const { file, changes } = await read(...members);
  return buffer(Readable.from(writeStepLayer(file, changes)));
}

async function membersOf(bytes: Buffer) {
  const tar = extract();
  tar.end(bytes);
  const found = [];
  for await (const entry of tar) found.push({ ...entry.header, content: (await buffer(entry)).toString() });
  return found;
}

const file = (name: string, more: Partial<Member> = {}): Member => ({ name, content: name, ...more });

describe("the layer of a RUN step", () => {
  it("has the same bytes, whatever order and times the engine gives", async () => {
    const members = [
      file("srv/a"),
      file("srv/"),
      { name: "etc", type: "directory" as const },
      file("srv/b", { mode: 0o600 }),
    ];
    const one = await rewritten(...members.map((member) => ({ ...member, mtime: new Date(1e12), uname: "ada" })));
    const other = await rewritten(...members.toReversed().map((member) => ({ ...member, name: `./${member.name}` })));
    expect(one.equals(other)).toBe(true);
  });

  it("keeps owners, permissions, links and whiteouts, and no time", async () => {
    const found = await membersOf(
      await rewritten(
        file("usr/bin/ping", { mode: 0o4755, uid: 1234, gid: 2345 }),
        { name: "a-hard-link", type: "link", linkname: "./usr/bin/ping" },
        { name: "usr/bin/link", type: "symlink", linkname: "/../ping" },
        { name: "etc", type: "directory", mode: 0o1777 },
        { name: "etc/.wh.timezone" },
        { name: "usr/share/doc/.wh..wh..opq" },
      ),
    );
    expect(found.map(({ name }) => name)).toEqual([
      ...["etc/", "etc/.wh.timezone", "usr/bin/link", "usr/bin/ping", "usr/share/doc/.wh..wh..opq"],
      // Behind what it leads to.
      "a-hard-link",
    ]);
    expect(found.every(({ mtime }) => mtime?.getTime() === 0)).toBe(true);
    expect(found).toMatchObject([
      { type: "directory", mode: 0o1777 },
      {},
      { type: "symlink", linkname: "/../ping" },
      { type: "file", mode: 0o4755, uid: 1234, gid: 2345, content: "usr/bin/ping" },
      {},
      { type: "link", linkname: "usr/bin/ping" },
    ]);
  });

  it("has nothing of what the engine puts into every container", async () => {
    const names = ["proc", "dev/null", "sys/x", ".dockerenv", "run/.containerenv", "etc/hosts", "etc/.wh.resolv.conf"];
    const mtab: Member = { name: "etc/mtab", type: "symlink", linkname: "/proc/mounts" };
    const { changes } = await read(...names.map((name) => file(name)), mtab, file("etc/hosts.allow"), file("process"));
    expect(changes.members.map(({ name }) => name)).toEqual(["etc/hosts.allow", "process"]);
  });

  it("has no devices and pipes, and says so", async () => {
    const { changes } = await read({ name: "srv/sda", type: "block-device" }, { name: "srv/pipe", type: "fifo" });
    expect(changes).toMatchObject({ members: [], leftOut: ["srv/sda", "srv/pipe"] });
  });

  it.each([
    ["opt/slipway/bin/node", {}],
    ["opt/env", {}],
    ["opt/env/.wh.bin", {}],
    ["opt/env/.wh..wh..opq", {}],
    // It would lead Slipway's own files elsewhere.
    ["opt", { type: "symlink" as const, linkname: "srv" }],
  ])("may not touch %s", async (name, more) => {
    expect((await read({ name, ...more })).changes.forbidden).toEqual([name]);
  });

  it.each(["opt/", "opt/.wh.tool", "opt/slipway2", "opt/environment", ".wh.opt"])("may touch %s", async (name) => {
    const type = name.endsWith("/") ? "directory" : "file";
    expect((await read({ name, type })).changes.forbidden).toEqual([]);
  });

  it.each(["../outside", "srv/../../x"])("is refused with a member %s", async (name) => {
    await expect(read(file(name))).rejects.toMatchObject({ code: "LayerInvalid" });
  });

  it("is refused with a hard link that leads out, or other bytes than the engine says", async () => {
    await expect(read({ name: "a", type: "link", linkname: "../../etc/shadow" })).rejects.toMatchObject({
      code: "LayerInvalid",
    });
    const { file: path } = await read(file("a"));
    const other = `sha256:${"0".repeat(64)}`;
    await expect(readStepChanges(path, other, AbortSignal.timeout(15_000))).rejects.toMatchObject({
      code: "LayerInvalid",
    });
  });
});
