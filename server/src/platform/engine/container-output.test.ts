import { expect, test } from "vitest";
import { containerOutput } from "./container-output.ts";

function frame(stream: 1 | 2, text: string): Buffer {
  const head = Buffer.from([stream, 0, 0, 0, 0, 0, 0, 0]);
  head.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([head, Buffer.from(text)]);
}

async function* inPieces(bytes: Buffer, size: number): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

test.each([1, 3, 7, 1000])("both streams in their order, in pieces of %i bytes", async (size) => {
  const bytes = Buffer.concat([frame(1, "one\n"), frame(2, "zwei ä\n"), frame(1, ""), frame(1, "three\n")]);
  expect(await containerOutput(inPieces(bytes, size))).toBe("one\nzwei ä\nthree\n");
});

test("a frame that is cut off is left out", async () => {
  expect(
    await containerOutput(inPieces(Buffer.concat([frame(1, "whole\n"), frame(1, "cut").subarray(0, 9)]), 100)),
  ).toBe("whole\n");
});

test("of much, the end is kept", async () => {
  const line = `${"x".repeat(9999)}\n`;
  const bytes = Buffer.concat([...Array.from({ length: 300 }, () => frame(1, line)), frame(2, "the end\n")]);
  const text = await containerOutput(inPieces(bytes, 65_536));
  expect(text.length).toBeLessThanOrEqual(1024 * 1024);
  expect(text.endsWith("the end\n")).toBe(true);
});
