import { expect, it } from "vitest";
import { answerHeads } from "./answer-head.ts";

const json = (headers: unknown) => Buffer.from(JSON.stringify({ h: headers }));

it("reads each head as it is, the first time and again, however many there are", () => {
  const read = answerHeads();
  for (let round = 0; round < 3; round += 1) {
    for (let index = 0; index < 200; index += 1) {
      expect(read(json({ "x-index": String(index) }))).toEqual({
        headers: { "x-index": String(index) },
        passable: ["x-index", String(index)],
      });
    }
  }
});

it("tells heads apart that differ in what is beyond ASCII", () => {
  const read = answerHeads();
  for (const value of ["é", "è", "\u00c3\u00a9", "é"]) {
    expect(read(json({ "x-name": value }))).toMatchObject({ headers: { "x-name": value } });
  }
});

it("refuses a head again that was refused before", () => {
  const read = answerHeads();
  for (let round = 0; round < 2; round += 1) {
    expect(read(Buffer.from("{"))).toBe("its head is not JSON");
    expect(read(Buffer.from("{}"))).toBe("its head has no headers");
    expect(read(json({ "x:a": "b" }))).toMatchObject({ passable: expect.stringContaining("is not a header name") });
  }
});

it("remembers what it has read", () => {
  const read = answerHeads();
  const first = read(json({ a: "1" }));
  expect(read(json({ a: "1" }))).toBe(first);
  expect(typeof first === "string" ? first : first.passable).toEqual(["a", "1"]);
});
