import fc from "fast-check";
import { expect, test } from "vitest";
import { IdMap } from "./id-map.ts";

test("whatever comes and goes, it holds what a Map holds, in its order", () => {
  const id = fc.oneof(fc.nat(50), fc.integer({ min: 0, max: 0xffff_ffff }));
  const action = fc.oneof(
    { weight: 5, arbitrary: fc.record({ kind: fc.constant("set" as const), id }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("delete" as const), id }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("oldest" as const), id }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("clear" as const), id }) },
  );
  fc.assert(
    fc.property(fc.array(action, { maxLength: 400 }), (actions) => {
      const map = new IdMap<string>();
      const model = new Map<number, string>();
      for (const [step, { kind, id }] of actions.entries()) {
        if (kind === "set") {
          map.set(id, `${step}`);
          model.set(id, `${step}`);
        } else if (kind === "clear") {
          map.clear();
          model.clear();
        } else {
          const wanted = kind === "delete" ? id : (model.keys().next().value ?? id);
          expect(map.delete(wanted)).toBe(model.delete(wanted));
        }
        expect(map.size).toBe(model.size);
        expect(map.has(id)).toBe(model.has(id));
        expect(map.get(id)).toBe(model.get(id));
        expect(map.oldest()).toEqual(model.values().next().value);
      }
      expect([...map.entries()]).toEqual([...model]);
      expect([...map.values()]).toEqual([...model.values()]);
    }),
  );
});

test("it grows with what it holds, and forgets in between what was given out", () => {
  const map = new IdMap<number>();
  for (let id = 1; id <= 5000; id += 1) map.set(id, -id);
  for (const [id] of map.entries()) if (id % 2 === 0) map.delete(id);
  expect(map.size).toBe(2500);
  expect(map.get(4999)).toBe(-4999);
  expect(map.get(5000)).toBeUndefined();
});
