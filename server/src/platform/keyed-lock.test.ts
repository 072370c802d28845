import { expect, test } from "vitest";
import { createKeyedLock } from "./keyed-lock.ts";

test("work for one key comes one after the other, for different keys side by side, and a failure lets the next one in", async () => {
  const lock = createKeyedLock();
  const events: string[] = [];
  const gate = Promise.withResolvers<void>();
  const first = lock("a", async () => {
    events.push("a1 begins");
    await gate.promise;
    events.push("a1 fails");
    throw new Error("first");
  });
  const second = lock("a", async () => {
    events.push("a2");
    return 2;
  });
  await lock("b", async () => {
    events.push("b");
  });
  gate.resolve();
  await expect(first).rejects.toThrow("first");
  expect(await second).toBe(2);
  expect(events).toEqual(["a1 begins", "b", "a1 fails", "a2"]);
});

test("who waits may leave, and those behind still wait for the first", async () => {
  const lock = createKeyedLock();
  const events: string[] = [];
  const gate = Promise.withResolvers<void>();
  const first = lock("a", async () => {
    await gate.promise;
    events.push("a1");
  });
  const stop = new AbortController();
  const leaving = lock("a", async () => events.push("never"), stop.signal);
  const third = lock("a", async () => events.push("a3"));
  stop.abort(new Error("enough"));
  await expect(leaving).rejects.toThrow("enough");
  gate.resolve();
  await Promise.all([first, third]);
  expect(events).toEqual(["a1", "a3"]);
});
