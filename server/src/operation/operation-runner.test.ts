import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { systemClock } from "../platform/clock.ts";
import { migrateToLatest } from "../platform/database/migrate.ts";
import { openSqlite } from "../platform/database/sqlite.ts";
import { AppError } from "../platform/errors.ts";
import { silentLog } from "../platform/log.ts";
import { defineOperation, type OperationDefinition, type Step } from "./define-operation.ts";
import { createOperationRunner, type OperationRunner } from "./operation-runner.ts";
import { createOperationStore, type OperationStore } from "./operation-store.ts";
import { type OperationTables, operationMigration } from "./operation-tables.ts";

type State = Record<string, unknown>;
type StepRun = Step<unknown, State>["run"];

let database: ReturnType<typeof openSqlite<OperationTables>>;
let store: OperationStore;
let runners: OperationRunner[];

beforeEach(async () => {
  database = openSqlite<OperationTables>(":memory:");
  await migrateToLatest(database, { operation: operationMigration });
  store = createOperationStore(database, systemClock);
  runners = [];
});
afterEach(async () => {
  await Promise.all(runners.map((runner) => runner.stop()));
  await database.destroy();
});

function operation(runs: Record<string, StepRun>, more: Partial<OperationDefinition<unknown, State>> = {}) {
  const steps = Object.entries(runs).map(([name, run]) => ({ name, timeoutMs: 10_000, run }));
  return defineOperation<unknown, State>({ kind: "test", version: 1, steps, ...more });
}

async function started(...definitions: OperationDefinition<unknown, State>[]): Promise<OperationRunner> {
  const runner = createOperationRunner(store, definitions, silentLog);
  runners.push(runner);
  await runner.start();
  return runner;
}

async function enqueue(runner: OperationRunner, queue = "q", kind = "test"): Promise<string> {
  const id = await runner.enqueue({ workspaceId: "w", kind, input: { queue }, queue });
  runner.wake();
  return id;
}

const ended = (runner: OperationRunner, id: string) => runner.waitForEnd("w", id, AbortSignal.timeout(50_000));
const texts = async (id: string) => (await store.log(id)).map(({ text }) => text);
/** resolves when it is aborted, as a well-behaved step */
const untilAborted = (signal: AbortSignal) =>
  new Promise<undefined>((resolve) => signal.addEventListener("abort", () => resolve(undefined), { once: true }));

describe("steps", () => {
  it("run in order, each seeing what the ones before returned; the log keeps its order", async () => {
    const runner = await started(
      operation({
        one: async ({ say }) => {
          for (let line = 0; line < 20; line++) say(`line ${line}`);
          return { one: 1 };
        },
        two: async ({ state, input }) => ({ two: [state.one, input] }),
      }),
    );
    const id = await enqueue(runner);
    const done = await ended(runner, id);
    expect(done).toMatchObject({ status: "Succeeded", step: "two", state: { one: 1, two: [1, { queue: "q" }] } });
    expect(await texts(id)).toEqual(Array.from({ length: 20 }, (_, line) => `line ${line}`));
  });

  it("that throw fail the operation with their error, after it was put away", async () => {
    const failed = vi.fn(async ({ say }: { say(text: string): void }) => say("put away"));
    const error = new AppError({ code: "Broken", kind: "invalid", message: "It broke." });
    const later = vi.fn(async () => undefined);
    const runner = await started(operation({ one: () => Promise.reject(error), later }, { failed }));
    const id = await enqueue(runner);
    expect(await ended(runner, id)).toMatchObject({ status: "Failed", error: { code: "Broken", statusCode: 400 } });
    expect(failed).toHaveBeenCalledOnce();
    expect(later).not.toHaveBeenCalled();
    expect(await texts(id)).toEqual(["put away"]);
  });

  it("end the operation all the same when putting away throws", async () => {
    const failed = () => Promise.reject(new Error("again"));
    const runner = await started(operation({ one: () => Promise.reject(new Error("first")) }, { failed }));
    expect(await ended(runner, await enqueue(runner))).toMatchObject({ status: "Failed", error: { message: "first" } });
  });

  it("that take too long are named", async () => {
    const slow = { name: "slow", timeoutMs: 20, run: ({ signal }: { signal: AbortSignal }) => untilAborted(signal) };
    const runner = await started(defineOperation<unknown, State>({ kind: "test", version: 1, steps: [slow] }));
    const done = await ended(runner, await enqueue(runner));
    expect(done).toMatchObject({ status: "TimedOut", error: { code: "StepTimeout" } });
    expect(done.error?.message).toContain('"slow"');
  });

  it("can follow another operation, with its log", async () => {
    const child = operation({ work: async ({ say }) => say("from below") as undefined }, { kind: "child" });
    let childId = "";
    const parent = operation({
      wait: async ({ follow, say }) => {
        say(`it ${(await follow(childId)).status}`);
        return undefined;
      },
    });
    const runner = await started(child, parent);
    childId = await enqueue(runner, "child", "child");
    const id = await enqueue(runner);
    expect((await ended(runner, id)).status).toBe("Succeeded");
    expect(await texts(id)).toEqual(["from below", "it Succeeded"]);
  });

  it("survive a log line that cannot be stored", async () => {
    const runner = createOperationRunner(
      { ...store, appendLog: () => Promise.reject(new Error("disk full")) },
      [operation({ one: async ({ say }) => say("lost") as undefined })],
      silentLog,
    );
    runners.push(runner);
    await runner.start();
    expect((await ended(runner, await enqueue(runner))).status).toBe("Succeeded");
  });
});

it("definitions may come after the runner, which rooms need to make them", async () => {
  const definitions: OperationDefinition<unknown, State>[] = [];
  const runner = createOperationRunner(store, definitions, silentLog);
  runners.push(runner);
  definitions.push(operation({ one: async () => undefined }));
  await runner.start();
  expect((await ended(runner, await enqueue(runner))).status).toBe("Succeeded");
  await expect(enqueue(runner, "q", "unknown")).rejects.toThrow("unknown");
});

describe("queues", () => {
  it("keep the order of making; others do not wait for them", async () => {
    const order: string[] = [];
    const gate = Promise.withResolvers<undefined>();
    const runner = await started(
      operation({
        one: async ({ operationId, input }) => {
          order.push(operationId);
          return (input as { queue: string }).queue === "slow" && order.length === 1 ? gate.promise : undefined;
        },
      }),
    );
    const first = await enqueue(runner, "slow");
    await expect.poll(() => order).toEqual([first]);
    const second = await enqueue(runner, "slow");
    const other = await enqueue(runner, "other");
    await ended(runner, other);
    expect(order).toEqual([first, other]);
    gate.resolve(undefined);
    await ended(runner, second);
    expect(order).toEqual([first, other, second]);
  });

  it("go on after the database failed for a while", async () => {
    let failures = 2;
    const claim: OperationStore["claim"] = (owner, leaseMs) =>
      failures-- > 0 ? Promise.reject(new Error("disk full")) : store.claim(owner, leaseMs);
    const runner = createOperationRunner({ ...store, claim }, [operation({ one: async () => undefined })], silentLog);
    runners.push(runner);
    await runner.start();
    expect((await ended(runner, await enqueue(runner))).status).toBe("Succeeded");
  });
});

describe("cancelling", () => {
  it("ends a running step and puts away only after the step has let go", async () => {
    const story: string[] = [];
    const runner = await started(
      operation(
        {
          one: async ({ signal }) => {
            story.push("begun");
            await untilAborted(signal);
            await new Promise((resolve) => setImmediate(resolve));
            story.push("let go");
            return undefined;
          },
        },
        { failed: async (_context, error) => void story.push(error.code) },
      ),
    );
    const id = await enqueue(runner);
    await expect.poll(() => story).toEqual(["begun"]);
    await runner.cancel(id);
    expect((await ended(runner, id)).status).toBe("Cancelled");
    expect(story).toEqual(["begun", "let go", "OperationCancelled"]);
  });

  it("ends one that has not begun without a step", async () => {
    const one = vi.fn(async () => undefined);
    const definition = operation({ one });
    const waiting = createOperationRunner(store, [definition], silentLog);
    const id = await waiting.enqueue({ workspaceId: "w", kind: "test", input: {}, queue: "q" });
    await waiting.cancel(id);
    const runner = await started(definition);
    expect((await ended(runner, id)).status).toBe("Cancelled");
    expect(one).not.toHaveBeenCalled();
  });

  it("changes nothing that has ended", async () => {
    const runner = await started(operation({ one: async () => undefined }));
    const id = await enqueue(runner);
    await ended(runner, id);
    await runner.cancel(id);
    expect(await store.find("w", id)).toMatchObject({ status: "Succeeded", cancelRequested: false });
  });
});

describe("a stop", () => {
  it("lets go; the next runner continues at the step, and the stop counts as no attempt", async () => {
    const begun = vi.fn();
    const first = vi.fn(async () => ({ first: true }));
    const failed = vi.fn();
    const hang: StepRun = ({ signal }) => {
      begun();
      return untilAborted(signal);
    };
    const runner = await started(operation({ first, second: hang }, { failed }));
    const id = await enqueue(runner);
    for (let stops = 0; stops < 7; stops++) {
      const latest = stops === 0 ? runner : await started(operation({ first, second: hang }, { failed }));
      await expect.poll(() => begun.mock.calls.length).toBe(stops + 1);
      await latest.stop();
      expect(await store.find("w", id)).toMatchObject({ status: "Running", step: "second" });
    }
    const last = await started(operation({ first, second: async ({ state }) => ({ seen: state.first }) }));
    expect(await ended(last, id)).toMatchObject({ status: "Succeeded", state: { seen: true } });
    expect(first).toHaveBeenCalledOnce();
    expect(failed).not.toHaveBeenCalled();
  });
});

describe("a crash", () => {
  /** Leaves an operation as a killed process leaves it. */
  async function crashed(id: string, times: number, step: string | null) {
    for (let time = 0; time < times; time++) {
      await store.releaseAll();
      const claim = await store.claim("dead", 60_000);
      expect(claim?.operation.id).toBe(id);
      if (claim) await store.checkpoint(claim.lease, step, {});
    }
  }
  const make = async (version = 1) => {
    await store.insert({ id: "o", workspaceId: "w", kind: "test", version, input: {}, queue: "q" });
    return "o";
  };

  it("is forgiven a few times", async () => {
    const id = await make();
    await crashed(id, 4, "one");
    const runner = await started(operation({ one: async () => undefined }));
    expect((await ended(runner, id)).status).toBe("Succeeded");
  });

  it("that comes again and again ends the operation, put away once more", async () => {
    const id = await make();
    await crashed(id, 5, "one");
    const one = vi.fn(async () => undefined);
    const failed = vi.fn(async () => {});
    const runner = await started(operation({ one }, { failed }));
    expect(await ended(runner, id)).toMatchObject({ status: "Failed", error: { code: "OperationCrashLoop" } });
    expect(one).not.toHaveBeenCalled();
    expect(failed).toHaveBeenCalledOnce();
  });

  it("while putting away ends the operation without that", async () => {
    const id = await make();
    await crashed(id, 6, "one");
    const failed = vi.fn(async () => {});
    const runner = await started(operation({ one: async () => undefined }, { failed }));
    expect(await ended(runner, id)).toMatchObject({ error: { code: "OperationCrashLoop" } });
    expect(failed).not.toHaveBeenCalled();
  });

  it.each([
    ["another version", 2, null],
    ["a step that is no more", 1, "gone"],
  ])("is not continued by %s of the definition", async (_what, version, step) => {
    const id = await make(version);
    await crashed(id, 1, step);
    const one = vi.fn(async () => undefined);
    const runner = await started(operation({ one }));
    expect(await ended(runner, id)).toMatchObject({ status: "Failed", error: { code: "OperationVersionChanged" } });
    expect(one).not.toHaveBeenCalled();
  });
});

it("a runner that lost its lease touches nothing any more", async () => {
  const begun = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<undefined>();
  const failed = vi.fn();
  const runner = await started(
    operation(
      {
        one: async () => {
          begun.resolve();
          return gate.promise;
        },
        two: async () => ({ two: "by the loser" }),
      },
      { failed },
    ),
  );
  const id = await enqueue(runner);
  await begun.promise;
  await store.releaseAll();
  const winner = await store.claim("other", 60_000);
  using watch = runner.watch(id);
  gate.resolve(undefined);
  await watch.next(10_000);
  expect(failed).not.toHaveBeenCalled();
  expect(winner?.attempt).toBe(2);
  expect(await store.find("w", id)).toMatchObject({ status: "Running", state: {} });
});

describe("news", () => {
  it("between two looks are not missed", async () => {
    const runner = await started(operation({ one: async ({ say }) => say("hello") as undefined }));
    using watch = runner.watch("unborn");
    const id = await runner.enqueue({ id: "unborn", workspaceId: "w", kind: "test", input: {}, queue: "q" });
    runner.wake();
    await ended(runner, id);
    const begin = performance.now();
    await watch.next(60_000);
    expect(performance.now() - begin).toBeLessThan(30_000);
  });

  it("end with the signal", async () => {
    const runner = await started();
    using watch = runner.watch("x");
    await watch.next(10_000, AbortSignal.abort());
  });
});
