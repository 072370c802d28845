import { expect, test } from "vitest";
import { relayOutput } from "./run-step-output.ts";

/** What is told, and the end, of a text that comes in pieces of so many bytes. */
async function relay(text: string, pieceBytes = 7) {
  const bytes = Buffer.from(text);
  async function* parts() {
    for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
  }
  const said: string[] = [];
  const last = await relayOutput(parts(), (line) => said.push(line));
  return { said, last };
}

test.each([1, 2, 3, 100])("lines are told whole, whatever pieces of %d bytes they come in", async (pieceBytes) => {
  const { said, last } = await relay("Grüße, Ωmega\n\n  indented\t€\r\nno end", pieceBytes);
  expect(said).toEqual(["Grüße, Ωmega", "  indented €", "no end"]);
  expect(last).toEqual(said);
});

test("of a progress bar its last state is told, and orders to terminals are not", async () => {
  const { said } = await relay("10 %\r50 %\r100 %\n\u001b[31mred\u001b[0m\u0007 \u001b]0;title\u0007plain\n");
  expect(said).toEqual(["100 %", "red plain"]);
});

test("what runs wild is cut, and its end is known all the same", async () => {
  const { said, last } = await relay(Array.from({ length: 20_000 }, (_, index) => `line ${index}\n`).join(""), 5_000);
  expect(said).toHaveLength(10_001);
  expect(said.at(-1)).toContain("more than 10000 lines");
  expect(last).toHaveLength(20);
  expect(last.at(-1)).toBe("line 19999");
});

test("a line without an end fills neither memory nor log", async () => {
  const { said, last } = await relay("x".repeat(1_000_000), 50_000);
  expect(said).toHaveLength(1);
  expect(said[0]?.length).toBeLessThan(1_100);
  expect(last).toEqual(said);
});
