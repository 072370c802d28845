import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import fc from "fast-check";
import { extract } from "tar-stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { digestTar, digestTree } from "./digest-tar.ts";
import { listTree, treeLayerEntries } from "./layer-entries.ts";
import { readTar } from "./layer-tar.ts";

describe("the tar of a layer", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "slipway-layer-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const LONG = `${"very-long-name/".repeat(12)}größe.py`;

  async function makeTree(root: string, time: Date): Promise<void> {
    await mkdir(join(root, LONG, ".."), { recursive: true });
    await mkdir(join(root, "empty"));
    await writeFile(join(root, LONG), "x".repeat(1000));
    await writeFile(join(root, "a-b"), "");
    await mkdir(join(root, "a"));
    await writeFile(join(root, "a", "tool"), Buffer.alloc(512, "t"), { mode: 0o755 });
    await writeFile(join(root, "pyvenv.cfg"), "home = /somewhere");
    await writeFile(join(root, "a", "pyvenv.cfg"), "data of a package");
    await symlink("/usr/bin/python3", join(root, "python"));
    await symlink("../outside", join(root, "out"));
    await symlink("../a-b", join(root, "a", "inside"));
    await utimes(join(root, "a", "tool"), time, time);
  }

  function entriesOf(root: string) {
    return treeLayerEntries({ root, at: "opt/env" }, listTree(root, ["pyvenv.cfg"]));
  }

  it("is the same for the same files at another place and time", async () => {
    const { signal } = new AbortController();
    const digests: string[] = [];
    for (const name of ["one", "two"]) {
      await makeTree(join(folder, name), new Date(name === "one" ? 0 : Date.now()));
      digests.push((await digestTar(entriesOf(join(folder, name)), signal)).digest);
    }
    expect(digests[0]).toBe(digests[1]);
  });

  it("has folders before what is in them, bytes in order, no owner, no time, no links that lead out", async () => {
    await makeTree(join(folder, "tree"), new Date());
    const tar = extract();
    Readable.from(readTar(entriesOf(join(folder, "tree")))).pipe(tar);
    const links: (string | null | undefined)[] = [];
    const seen: { name: string; type: string | null | undefined; mode: number | undefined; size: number }[] = [];
    for await (const entry of tar) {
      const { name, type, mode, size, mtime, uid, gid, uname } = entry.header;
      expect([mtime?.getTime(), uid, gid, uname ?? ""]).toEqual([0, 0, 0, ""]);
      expect((await buffer(entry)).length).toBe(size);
      if (type === "symlink") links.push(entry.header.linkname);
      seen.push({ name, type, mode, size: size ?? 0 });
    }
    expect(seen.map(({ name }) => name).filter((name) => !name.includes("very-long"))).toEqual([
      ...["opt/", "opt/env/", "opt/env/a/", "opt/env/a/inside", "opt/env/a/pyvenv.cfg", "opt/env/a/tool"]
        .concat("opt/env/a-b", "opt/env/empty/")
        .sort((a, b) => Buffer.compare(Buffer.from(a.replace(/\/$/, "")), Buffer.from(b.replace(/\/$/, "")))),
    ]);
    expect(seen.find(({ name }) => name === "opt/env/a/tool")).toMatchObject({ mode: 0o755, size: 512 });
    expect(seen.find(({ name }) => name === "opt/env/a-b")).toMatchObject({ mode: 0o644, size: 0 });
    expect(links).toEqual(["../a-b"]);
    expect(seen.at(-1)).toMatchObject({ name: `opt/env/${LONG}`, size: 1000 });
  });

  it("gives any range of its bytes", async () => {
    await makeTree(join(folder, "tree"), new Date());
    const entries = entriesOf(join(folder, "tree"));
    const whole = await buffer(Readable.from(readTar(entries)));
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(whole.length + 600), async (start, length) => {
        const part = await buffer(Readable.from(readTar(entries, { start, end: start + length })));
        expect(part.equals(whole.subarray(start, start + length + 1))).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it("has the digest of its bytes, hashed here or in a thread", async () => {
    const root = join(folder, "tree");
    await makeTree(root, new Date());
    for (let number = 0; number < 600; number++) await writeFile(join(root, "empty", `${number}`), `file ${number}`);
    const entries = entriesOf(root);
    const whole = await buffer(Readable.from(readTar(entries)));
    const { digest, sizeBytes } = await digestTar(entries, new AbortController().signal);
    expect(digest).toBe(`sha256:${createHash("sha256").update(whole).digest("hex")}`);
    expect(sizeBytes).toBe(whole.length);
    expect(await digestTar(entries.slice(0, 8), new AbortController().signal)).toMatchObject({
      digest: `sha256:${createHash("sha256")
        .update(await buffer(Readable.from(readTar(entries.slice(0, 8)))))
        .digest("hex")}`,
    });
    const { listing, ...tree } = await digestTree(
      { root, at: "opt/env", leaveOut: ["pyvenv.cfg"] },
      new AbortController().signal,
    );
    expect(tree).toEqual({ digest, sizeBytes });
    expect(JSON.parse(Buffer.from(listing).toString())).toContainEqual(["a-b", 0, 0]);
    await expect(digestTar(entries, AbortSignal.abort(new Error("stopped")))).rejects.toThrow("stopped");
  });

  it("says so when a file is gone or shorter than it was", async () => {
    const root = join(folder, "tree");
    await makeTree(root, new Date());
    const entries = entriesOf(root);
    await writeFile(join(root, LONG), "short");
    const damaged = { code: "LayerDamaged", message: expect.stringContaining("größe.py") };
    await expect(buffer(Readable.from(readTar(entries)))).rejects.toMatchObject(damaged);
    await rm(join(root, LONG));
    await expect(digestTar(entries, new AbortController().signal)).rejects.toMatchObject(damaged);
  });
});
