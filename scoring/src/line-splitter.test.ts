import { once } from "node:events";
import { PassThrough } from "node:stream";
import fc from "fast-check";
import { expect, it } from "vitest";
import { eachLine } from "./line-splitter.ts";

async function linesOf(chunks: readonly Uint8Array[]): Promise<string[]> {
  const stream = new PassThrough();
  const lines: string[] = [];
  eachLine(stream, (line) => lines.push(line));
  for (const chunk of chunks) stream.write(chunk);
  stream.end();
  await once(stream, "end");
  return lines;
}

it("cuts text into lines wherever the chunks end, inside a character too", async () => {
  const line = fc.string({ unit: "grapheme", maxLength: 10 }).map((text) => text.replace(/[\r\n]/g, ""));
  await fc.assert(
    fc.asyncProperty(fc.array(line), fc.array(fc.integer({ min: 1, max: 7 })), async (lines, cuts) => {
      const bytes = Buffer.from(lines.map((text) => `${text}\n`).join(""));
      const chunks: Buffer[] = [];
      let at = 0;
      for (const size of [...cuts, bytes.length]) {
        if (at < bytes.length) chunks.push(bytes.subarray(at, at + size));
        at += size;
      }
      expect(await linesOf(chunks)).toEqual(lines);
    }),
  );
});

it("gives the last line without an end, and drops carriage returns", async () => {
  expect(await linesOf([Buffer.from("a\r\nb")])).toEqual(["a", "b"]);
});

it("cuts a line that does not end", async () => {
  const lines = await linesOf(Array.from({ length: 10 }, () => Buffer.alloc(10_000, "x")));
  expect(lines.length).toBeGreaterThan(4);
  expect(lines.join("")).toHaveLength(100_000);
});
