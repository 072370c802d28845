import { expect, it } from "vitest";
import { isTable, readCsv, writeCsv } from "./csv.ts";

const read = (text: string) => readCsv(Buffer.from(text));

it("reads rows of numbers and texts", () => {
  expect(read("1,2.5,-3e2\n.5, 7 ,+1\n")).toEqual([
    [1, 2.5, -300],
    [0.5, 7, 1],
  ]);
  expect(read('a,"b, ""c""",12\r\nd,"two\nlines","12"')).toEqual([
    ["a", 'b, "c"', 12],
    ["d", "two\nlines", "12"],
  ]);
  expect(read("1,\n,2\n")).toEqual([
    [1, ""],
    ["", 2],
  ]);
  expect(read("1,2,")).toEqual([[1, 2, ""]]);
  expect(read("7")).toEqual([[7]]);
});

it.each<[what: string, text: string, words: RegExp]>([
  ["nothing", "", /no line/],
  ["empty lines", "\n\n", /no line/],
  ["rows of different lengths", "1,2\n3\n", /Line 2 of the CSV has 1 values; the first has 2/],
  ["a quote within a value", '1,2\n3,a"b\n', /Line 2 .* quote/],
  ["a quote that does not end", '1,"2\n', /Line 1 .* quote/],
])("refuses %s", (_, text, words) => {
  expect(() => read(text)).toThrow(words);
});

it("refuses what is not UTF-8", () => {
  expect(() => readCsv(new Uint8Array([255]))).toThrow(/UTF-8/);
});

it("writes what it reads", () => {
  const rows = [
    [1, 'a "b"'],
    [2.5, "c,\nd"],
  ];
  expect(read(writeCsv(rows))).toEqual(rows);
  expect(writeCsv([1, 2, null])).toBe("1\n2\n\n");
});

it("knows a table", () => {
  expect([[1, 2], [[1], [2]], []].map(isTable)).toEqual([true, true, true]);
  expect([{ a: 1 }, [{ a: 1 }], [[[1]]], "text"].map(isTable)).toEqual([false, false, false, false]);
});
