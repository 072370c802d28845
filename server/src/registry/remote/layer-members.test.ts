import { buffer } from "node:stream/consumers";
import { constants, gzipSync, zstdCompressSync } from "node:zlib";
import { type Header, pack } from "tar-stream";
import { describe, expect, it } from "vitest";
import { readLayerMembers, type ScanLimits } from "./layer-members.ts";
import type { TarHeader } from "./tar-headers.ts";
import { sha256 } from "./test/scripted-registry.ts";

const PLAIN = "application/vnd.oci.image.layer.v1.tar";
const digest = sha256(Buffer.from("its compressed bytes"));

async function tarOf(...members: (Partial<Header> & { name: string; content?: string })[]): Promise<Buffer> {
  const tar = pack();
  for (const { content, ...header } of members) tar.entry({ mtime: new Date(0), ...header }, content ?? "");
  tar.finalize();
  return buffer(tar);
}

async function* pieces(bytes: Uint8Array, size = 1000) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function read(
  bytes: Uint8Array,
  options: { mediaType?: string; diffId?: string; limits?: ScanLimits; piece?: number } = {},
): Promise<TarHeader[]> {
  const members: TarHeader[] = [];
  const { mediaType = PLAIN, diffId = sha256(bytes), limits, piece } = options;
  const layer = { digest, diffId, mediaType };
  const signal = AbortSignal.timeout(50_000);
  await readLayerMembers(layer, pieces(bytes, piece), (member) => members.push(member), signal, limits);
  return members;
}

describe("a layer", () => {
  it("tells its members, whatever they are, and unpacks none", async () => {
    const long = `${"folder/".repeat(40)}end`;
    const tar = await tarOf(
      { name: "usr/bin", type: "directory" },
      { name: "usr/bin/python3.11", content: "x".repeat(5000) },
      { name: long, content: "deep" },
      { name: "usr/bin/python3", type: "symlink", linkname: "/../../../etc/shadow" },
      { name: "usr/bin/hard", type: "link", linkname: "usr/bin/python3.11" },
      { name: "dev/sda", type: "block-device" },
      { name: "../../outside", content: "no" },
      { name: "usr/.wh.local" },
    );
    for (const piece of [1, 511, 100_000]) {
      expect((await read(tar, { piece })).map(({ name, kind }) => [name, kind])).toEqual([
        ["usr/bin", "directory"],
        ["usr/bin/python3.11", "file"],
        [long, "file"],
        ["usr/bin/python3", "symlink"],
        ["usr/bin/hard", "link"],
        ["dev/sda", "other"],
        ["../../outside", "file"],
        ["usr/.wh.local", "file"],
      ]);
    }
  });

  it.each([
    ["gzip", (bytes: Buffer) => gzipSync(bytes)],
    ["zstd", (bytes: Buffer) => zstdCompressSync(bytes)],
  ])("is read compressed with %s", async (name, compress) => {
    const tar = await tarOf({ name: "a", content: "b" });
    const members = await read(compress(tar), { mediaType: `${PLAIN}+${name}`, diffId: sha256(tar) });
    expect(members).toMatchObject([{ name: "a", sizeBytes: 1 }]);
  });

  it("must be what its image announces", async () => {
    const tar = await tarOf({ name: "a", content: "b" });
    await expect(read(tar, { diffId: digest })).rejects.toThrow(/has the digest sha256:\w+, but its image announces/);
    // Bytes behind the end of the tar belong to the digest, too.
    await expect(read(Buffer.concat([tar, Buffer.from("more")]), { diffId: sha256(tar) })).rejects.toMatchObject({
      code: "LayerInvalid",
    });
  });

  it.each([
    ["no tar", Buffer.alloc(2048, "x")],
    ["cut in a header", Buffer.alloc(300, "x")],
  ])("that is %s is refused", async (_name, bytes) => {
    await expect(read(bytes)).rejects.toMatchObject({ code: "LayerInvalid" });
  });

  it("that is cut in a member is refused", async () => {
    const tar = await tarOf({ name: "a", content: "x".repeat(5000) });
    await expect(read(tar.subarray(0, 2000))).rejects.toThrow(/ends too early/);
  });

  it.each(["gzip", "zstd"])("that is not %s although it says so, or is cut, is refused", async (name) => {
    const tar = await tarOf({ name: "a", content: "x".repeat(5000) });
    const mediaType = `${PLAIN}+${name}`;
    await expect(read(tar, { mediaType })).rejects.toMatchObject({ code: "LayerInvalid" });
    const whole = name === "gzip" ? gzipSync(tar) : zstdCompressSync(tar);
    const cut = whole.subarray(0, whole.length - 20);
    await expect(read(cut, { mediaType, diffId: sha256(tar) })).rejects.toMatchObject({ code: "LayerInvalid" });
  });

  it("that unpacks to more than anybody needs is left in time", async () => {
    const bomb = gzipSync(Buffer.alloc(50_000_000), { level: constants.Z_BEST_SPEED });
    const limits = { unpackedBytes: 1_000_000, members: 10 };
    await expect(read(bomb, { mediaType: `${PLAIN}+gzip`, limits })).rejects.toThrow(/more than 1000000 bytes/);
  });

  it("with too many members is left in time", async () => {
    const tar = await tarOf(...Array.from({ length: 20 }, (_, index) => ({ name: `f${index}` })));
    await expect(read(tar, { limits: { unpackedBytes: 1e9, members: 10 } })).rejects.toThrow(/more than 10 members/);
  });

  it("with an extended header of any size does not fill the memory", async () => {
    const tar = await tarOf({ name: "PaxHeader", type: "file" });
    const header = Buffer.from(tar.subarray(0, 512));
    header.write("x", 156);
    header.write("77777777777\0", 124);
    header.fill(0x20, 148, 156);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
    await expect(read(header, { diffId: sha256(header) })).rejects.toThrow(/extended header has 8589934591 bytes/);
  });
});
