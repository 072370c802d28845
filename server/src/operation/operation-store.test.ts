import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { manualClock } from "../platform/clock.ts";
import { migrateToLatest } from "../platform/database/migrate.ts";
import { openSqlite } from "../platform/database/sqlite.ts";
import { isTerminal, mayChange, type OperationStatus } from "./operation.ts";
import { createOperationStore, type Lease } from "./operation-store.ts";
import { type OperationTables, operationMigration } from "./operation-tables.ts";

const LEASE_MS = 1_000;

async function open() {
  const database = openSqlite<OperationTables>(":memory:");
  await migrateToLatest(database, { operation: operationMigration });
  const clock = manualClock();
  return { database, clock, store: createOperationStore(database, clock) };
}

let { database, clock, store } = await open();
beforeEach(async () => {
  ({ database, clock, store } = await open());
});
afterEach(() => database.destroy());

const insert = (id: string, queue = id) =>
  store.insert({ id, workspaceId: "w", kind: "k", version: 1, input: { id }, queue });

describe("claiming", () => {
  it("goes by order of making, one at a time in a queue", async () => {
    await insert("a1", "a");
    await insert("a2", "a");
    await insert("b1", "b");
    expect((await store.claim("me", LEASE_MS))?.operation.id).toBe("a1");
    expect((await store.claim("me", LEASE_MS))?.operation.id).toBe("b1");
    expect(await store.claim("me", LEASE_MS)).toBeUndefined();
    await store.finish({ operationId: "a1", epoch: 1 }, "Failed", null);
    expect((await store.claim("me", LEASE_MS))?.operation.id).toBe("a2");
  });

  it("takes over what a lost runner held, and shuts that runner out", async () => {
    await insert("a");
    const first = await store.claim("one", LEASE_MS);
    clock.advance(LEASE_MS + 1);
    const second = await store.claim("two", LEASE_MS);
    expect(second).toMatchObject({ attempt: 2, lease: { epoch: 2 } });
    const lost = first?.lease as Lease;
    expect(await store.renew(lost, LEASE_MS)).toMatchObject({ held: false });
    expect(await store.checkpoint(lost, "x", { stolen: true })).toMatchObject({ held: false });
    expect(await store.finish(lost, "Succeeded", null)).toBe(false);
    expect(await store.find("w", "a")).toMatchObject({ status: "Running", state: {}, step: null });
  });

  it("keeps what is renewed", async () => {
    await insert("a");
    const claim = await store.claim("one", LEASE_MS);
    clock.advance(LEASE_MS - 1);
    await store.renew(claim?.lease as Lease, LEASE_MS);
    clock.advance(LEASE_MS - 1);
    expect(await store.claim("two", LEASE_MS)).toBeUndefined();
  });

  it("counts attempts, but not those that were given back in good order", async () => {
    await insert("a");
    const first = await store.claim("one", LEASE_MS);
    await store.release(first?.lease as Lease);
    expect(await store.claim("one", LEASE_MS)).toMatchObject({ attempt: 1 });
    await store.releaseAll();
    expect(await store.claim("one", LEASE_MS)).toMatchObject({ attempt: 2 });
  });
});

it("leaves nothing behind when the transaction that makes the resource fails", async () => {
  const failing = database.transaction().execute(async (transaction) => {
    await store.insert({ id: "a", workspaceId: "w", kind: "k", version: 1, input: {}, queue: "q" }, transaction);
    throw new Error("The resource could not be made.");
  });
  await expect(failing).rejects.toThrow("could not be made");
  expect(await store.find("w", "a")).toBeUndefined();
});

it("shows an operation in its own workspace only", async () => {
  await insert("a");
  expect(await store.find("other", "a")).toBeUndefined();
});

it("counts reads from nought", async () => {
  await insert("a");
  expect([await store.countRead("a"), await store.countRead("a")]).toEqual([0, 1]);
});

/** Whatever runners, clocks and clients do: only allowed changes, one runner at a time, nothing after the end. */
it("keeps to the transition table under any sequence of events", async () => {
  const event = fc.oneof(
    fc.record({ do: fc.constantFrom("insert", "claim", "expire", "releaseAll"), on: fc.nat(3) }),
    fc.record({ do: fc.constantFrom("checkpoint", "finish", "cancel", "renew", "release"), on: fc.nat(8) }),
  );
  const ends: readonly OperationStatus[] = ["Succeeded", "Failed", "Cancelled", "TimedOut"];
  await fc.assert(
    fc.asyncProperty(fc.array(event, { maxLength: 40 }), async (events) => {
      const world = await open();
      const leases: Lease[] = [];
      const newest = new Map<string, number>();
      let before = new Map<string, OperationStatus>();
      for (const [index, { do: action, on }] of events.entries()) {
        const lease = leases[on % Math.max(leases.length, 1)];
        if (action === "insert") {
          const operation = { id: `o${index}`, workspaceId: "w", kind: "k", version: 1, input: {}, queue: `q${on}` };
          await world.store.insert(operation);
        }
        if (action === "expire") world.clock.advance(LEASE_MS + 1);
        if (action === "releaseAll") await world.store.releaseAll();
        if (action === "claim") {
          const claim = await world.store.claim("me", LEASE_MS);
          if (claim !== undefined) {
            expect(claim.lease.epoch).toBeGreaterThan(newest.get(claim.operation.id) ?? 0);
            leases.push(claim.lease);
            newest.set(claim.operation.id, claim.lease.epoch);
          }
        }
        if (lease !== undefined) {
          const current = newest.get(lease.operationId) === lease.epoch;
          const ended = isTerminal(before.get(lease.operationId) ?? "NotStarted");
          if (action === "renew") {
            expect((await world.store.renew(lease, LEASE_MS)).held).toBe(current && !ended);
          }
          if (action === "checkpoint") {
            expect((await world.store.checkpoint(lease, "s", { index })).held).toBe(current && !ended);
          }
          if (action === "finish") {
            const status = ends[index % ends.length] ?? "Failed";
            expect(await world.store.finish(lease, status, null)).toBe(current && !ended);
          }
          if (action === "cancel") await world.store.requestCancel(lease.operationId);
          if (action === "release") await world.store.release(lease);
        }
        const now = new Map((await world.store.list("w", 100)).map(({ id, status }) => [id, status]));
        for (const [id, status] of before) {
          const after = now.get(id) as OperationStatus;
          expect(after === status || mayChange(status, after), `${status} → ${after}`).toBe(true);
        }
        before = now;
      }
      await world.database.destroy();
    }),
    { numRuns: 60 },
  );
});
