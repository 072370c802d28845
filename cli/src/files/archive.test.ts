import { text } from "node:stream/consumers";
import { gunzipSync } from "node:zlib";
import { fileFromText } from "@slipway/client";
import { extract } from "tar-stream";
import { expect, test } from "vitest";
import { archiveOf } from "./archive.ts";

const files = [fileFromText("lib/b.py", "b = 2"), fileFromText("lib/a.py", "a = 1")];

test("holds every file under its relative name, nothing of this machine", async () => {
  const archive = await archiveOf("code.tar.gz", files);
  const reader = extract();
  reader.end(gunzipSync(Buffer.from(await new Response(await archive.slice(0, archive.sizeBytes)).arrayBuffer())));
  const found = [];
  for await (const entry of reader) {
    const { name, mode, mtime, uid } = entry.header;
    found.push({ name, mode, mtime: mtime?.getTime(), uid, content: await text(entry) });
  }
  expect(found).toEqual([
    { name: "lib/a.py", mode: 0o644, mtime: 0, uid: 0, content: "a = 1" },
    { name: "lib/b.py", mode: 0o644, mtime: 0, uid: 0, content: "b = 2" },
  ]);
});

test("the same files in any order give the same bytes", async () => {
  const one = await archiveOf("code.tar.gz", files);
  const other = await archiveOf("code.tar.gz", files.toReversed());
  expect(await one.sha256?.()).toBe(await other.sha256?.());
});
