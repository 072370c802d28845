import fc from "fast-check";
import { expect, test } from "vitest";
import { createLogReader } from "./operation-log.ts";

test("reads entries with their time in UTC", () => {
  const log = createLogReader();
  expect(log.read("20261122092508|Creating container.#20261122092509|Checking.#")).toEqual([
    { time: new Date("2026-11-22T09:25:08Z"), text: "Creating container." },
    { time: new Date("2026-11-22T09:25:09Z"), text: "Checking." },
  ]);
  expect(log.offset).toBe(60);
});

test("an entry may come in pieces, cut anywhere", () => {
  const text = fc.string({ unit: "grapheme" }).map((value) => value.replace(/[|#]/g, " "));
  fc.assert(
    fc.property(fc.array(text), fc.array(fc.nat(400)), (texts, cuts) => {
      const whole = [...texts.map((value) => `20260102030405|${value}#`).join("")];
      const log = createLogReader();
      const found: string[] = [];
      let at = 0;
      for (const cut of [...cuts.toSorted((a, b) => a - b), whole.length]) {
        const end = Math.min(Math.max(cut, at), whole.length);
        found.push(...log.read(whole.slice(at, end).join("")).map((entry) => entry.text));
        at = end;
      }
      expect(found).toEqual(texts);
      expect(log.offset).toBe(whole.length);
    }),
  );
});

test("counts characters outside the basic plane once, as the genuine client does", () => {
  const log = createLogReader();
  log.read("20261122092508|🚀#");
  expect(log.offset).toBe(17);
});

test("skips what is no entry", () => {
  expect(createLogReader().read("...#20261122092508|text#")).toHaveLength(1);
});
