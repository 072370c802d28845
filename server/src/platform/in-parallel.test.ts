import { setImmediate as turn } from "node:timers/promises";
import { expect, it } from "vitest";
import { inParallel } from "./in-parallel.ts";

const { signal } = new AbortController();

it("does all, so many at once", async () => {
  const done: number[] = [];
  let [now, most] = [0, 0];
  await inParallel([1, 2, 3, 4, 5], 2, signal, async (item) => {
    most = Math.max(most, ++now);
    await turn();
    now -= 1;
    done.push(item);
  });
  expect(done.sort()).toEqual([1, 2, 3, 4, 5]);
  expect(most).toBe(2);
});

it("stops the others at the first failure, waits for their end, and throws it", async () => {
  const failure = new Error("the first");
  const ended: number[] = [];
  const working = inParallel([1, 2, 3, 4], 2, signal, async (item) => {
    if (item === 2) throw failure;
    await turn();
    ended.push(item);
  });
  await expect(working).rejects.toBe(failure);
  expect(ended).toEqual([1]);
});

it("tells the running ones", async () => {
  let told: unknown;
  const working = inParallel(["fails", "waits"], 2, signal, async (item, stopped) => {
    if (item === "fails") throw new Error("no");
    await new Promise<void>((resolve) => {
      stopped.addEventListener("abort", () => resolve());
      if (stopped.aborted) resolve();
    });
    told = stopped.reason;
  });
  await expect(working).rejects.toThrow("no");
  expect(told).toEqual(new Error("no"));
});

it("ends when the caller is stopped", async () => {
  const caller = new AbortController();
  const begun: number[] = [];
  const working = inParallel([1, 2, 3], 1, caller.signal, async (item) => {
    begun.push(item);
    caller.abort(new Error("enough"));
  });
  await expect(working).rejects.toThrow("enough");
  expect(begun).toEqual([1]);
});
