import { expect, it } from "vitest";
import { pack } from "./onnx-message.ts";

const LARGE = 100_000;

it("takes large pieces along and copies small ones out of what they share with others", () => {
  const read = Buffer.from("head body rest");
  const frame = new Uint8Array(LARGE + 20).fill(7);
  const other = new Uint8Array(LARGE).fill(9);
  const given = [read.subarray(5, 9), frame.subarray(20), read.subarray(10), other];
  const wanted = given.map((piece) => Buffer.from(piece));

  const { pieces, buffers } = pack(given);
  const arrived = structuredClone(pieces, { transfer: [...buffers] });

  expect(arrived.map((piece) => Buffer.from(piece))).toEqual(wanted);
  expect([frame.length, other.length]).toEqual([0, 0]);
  expect(read.toString()).toBe("head body rest");
  expect(new Set(arrived.map(({ buffer }) => buffer)).size).toBe(3);
});
