import { buffer } from "node:stream/consumers";
import fc from "fast-check";
import { extract } from "tar-stream";
import { expect, it } from "vitest";
import { endOfTar, type PlainMember, padding, tarHeader } from "./tar-encoding.ts";
import { tarHeaders } from "./tar-headers.ts";

const plain: PlainMember = {
  ...{ name: "etc/motd", kind: "file", linkName: "", sizeBytes: 0, mode: 0o644, uid: 0, gid: 0, attributes: [] },
};

function tarOf(members: readonly PlainMember[]): Buffer {
  const contents = members.flatMap((member) => [
    tarHeader(member),
    Buffer.alloc(member.sizeBytes, "x"),
    padding(member.sizeBytes),
  ]);
  return Buffer.concat([...contents, endOfTar]);
}

async function readAgain(tar: Buffer): Promise<PlainMember[]> {
  const found: PlainMember[] = [];
  async function* bytes() {
    yield tar;
  }
  for await (const { name, kind, linkName, sizeBytes, details } of tarHeaders(bytes())) {
    found.push({ name, kind, linkName, sizeBytes, ...details() });
  }
  return found;
}

it("what is written is read again, whatever does not fit into the plain header", async () => {
  const text = fc
    .string({ minLength: 1, maxLength: 300 })
    .filter((name) => name.isWellFormed() && !/[\0\n]/.test(name));
  const owner = fc.nat({ max: 4_294_967_294 });
  const member = fc.record({
    name: text,
    kind: fc.constantFrom("file", "link", "symlink", "directory"),
    linkName: text,
    size: fc.nat({ max: 2_000 }),
    mode: fc.nat({ max: 0o7777 }),
    uid: owner,
    gid: owner,
    attribute: fc.uint8Array({ maxLength: 40 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(member, { maxLength: 5 }), async (drawn) => {
      const members = drawn.map(({ size, attribute, ...rest }): PlainMember => {
        const attributes: PlainMember["attributes"] = [["SCHILY.xattr.security.capability", Buffer.from(attribute)]];
        return { ...rest, sizeBytes: rest.kind === "file" ? size : 0, attributes };
      });
      expect(await readAgain(tarOf(members))).toEqual(members);
    }),
    { numRuns: 200 },
  );
});

it("others read it, too", async () => {
  const name = `${"deep/".repeat(60)}ä`;
  const tar = extract();
  tar.end(tarOf([{ ...plain, name, uid: 3_000_000, mode: 0o4755, sizeBytes: 700 }]));
  for await (const entry of tar) {
    expect(entry.header).toMatchObject({ name, mode: 0o4755, size: 700, mtime: new Date(0) });
    expect(entry.header.pax).toMatchObject({ uid: "3000000" });
    expect((await buffer(entry)).length).toBe(700);
  }
});

it("devices are not written", () => {
  expect(() => tarHeader({ ...plain, kind: "other" })).toThrow("no place");
});
