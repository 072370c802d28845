import { expect, it } from "vitest";
import {
  createOperationRunner,
  createOperationStore,
  type OperationTables,
  operationMigration,
} from "../operation/index.ts";
import { manualClock } from "../platform/clock.ts";
import { migrateToLatest } from "../platform/database/migrate.ts";
import { openSqlite } from "../platform/database/sqlite.ts";
import { silentLog } from "../platform/log.ts";
import { COLLECTION_QUEUE, GARBAGE_COLLECTION } from "./collect-garbage.operation.ts";
import { defaultRules } from "./collect-garbage.ts";
import { collect, createCollectionSchedule } from "./collection-schedule.ts";

const HOUR_MS = 3_600_000;

it("collects once a day, counted from whoever did it last, and never two at once", async () => {
  const database = openSqlite<OperationTables>(":memory:");
  await migrateToLatest(database, { "1": operationMigration });
  const clock = manualClock();
  const operations = createOperationStore(database, clock);
  const definition = { kind: GARBAGE_COLLECTION, version: 1, steps: [] };
  const runner = createOperationRunner(operations, [definition], silentLog);
  const names = { subscriptionId: "s", resourceGroup: "g", name: "default" };
  const workspace = { id: "w", ...names, createdAt: clock.now().toISOString() };
  const schedule = createCollectionSchedule({ operations, runner, workspace, clock, log: silentLog });
  const begun = async () => (await operations.inQueue(COLLECTION_QUEUE)).length;
  async function after(hours: number): Promise<number> {
    clock.advance(hours * HOUR_MS);
    await schedule.look();
    return begun();
  }
  async function finish(): Promise<void> {
    const claim = await operations.claim("test", HOUR_MS);
    if (claim === undefined) throw new Error("Nothing was begun.");
    await operations.finish(claim.lease, "Succeeded", null);
  }

  // A new installation has nothing to collect.
  expect(await after(23)).toBe(0);
  expect(await after(2)).toBe(1);
  expect(await after(48)).toBe(1);
  await finish();
  expect(await after(1)).toBe(2);
  await finish();
  expect(await after(20)).toBe(2);
  await collect(runner, "w", { ...defaultRules, dryRun: false });
  await finish();
  expect(await after(20)).toBe(3);
  await collect(runner, "w", { ...defaultRules, dryRun: true });
  await finish();
  expect(await after(5)).toBe(5);
  await database.destroy();
});
