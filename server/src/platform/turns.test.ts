import { expect, it } from "vitest";
import { createTurns } from "./turns.ts";

it("does work under one key one after the other, and under others at the same time", async () => {
  const inTurn = createTurns();
  const events: string[] = [];
  const first = Promise.withResolvers<void>();
  const work = (name: string, until?: Promise<void>) => async () => {
    events.push(`${name} begins`);
    await until;
    events.push(`${name} ends`);
    return name;
  };
  const all = [
    inTurn("a", undefined, work("one", first.promise)),
    inTurn("a", undefined, work("two")),
    inTurn("b", undefined, work("other")),
  ];
  await all[2];
  first.resolve();
  expect(await Promise.all(all)).toEqual(["one", "two", "other"]);
  expect(events).toEqual(["one begins", "other begins", "other ends", "one ends", "two begins", "two ends"]);
});

it("lets the next one go on after a failure, and lets who waits leave without passing anybody", async () => {
  const inTurn = createTurns();
  const first = Promise.withResolvers<void>();
  const events: string[] = [];
  const failing = inTurn("a", undefined, async () => {
    await first.promise;
    events.push("failed");
    throw new Error("failed");
  });
  const stop = new AbortController();
  const leaving = inTurn("a", stop.signal, async () => events.push("never"));
  const waiting = inTurn("a", undefined, async () => events.push("done"));
  stop.abort(new Error("enough"));
  await expect(leaving).rejects.toThrow("enough");
  first.resolve();
  await expect(failing).rejects.toThrow("failed");
  await waiting;
  expect(events).toEqual(["failed", "done"]);
});
