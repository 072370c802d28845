import { type Kysely, sql } from "kysely";
import type { Clock } from "../platform/clock.ts";
import type { Operation, OperationError, OperationStatus } from "./operation.ts";
import type { OperationTables } from "./operation-tables.ts";

/** Proof that a runner still holds an operation. */
export interface Lease {
  readonly operationId: string;
  readonly epoch: number;
}

/** An operation that a runner took up. `attempt` counts the take-ups, this one included. */
export interface Claim {
  readonly operation: Operation;
  readonly lease: Lease;
  readonly attempt: number;
}

/** What a runner learns whenever it writes. */
export interface Hold {
  /** false: another runner has it now */
  readonly held: boolean;
  readonly cancelRequested: boolean;
}

export interface LogEntry {
  readonly at: string;
  readonly text: string;
}

export interface NewOperation {
  readonly id: string;
  readonly workspaceId: string;
  readonly kind: string;
  readonly version: number;
  readonly input: unknown;
  readonly queue: string;
}

export type OperationStore = ReturnType<typeof createOperationStore>;

/** All SQL of operations. Every write of a runner names its lease epoch: who lost the lease changes nothing. */
export function createOperationStore<Tables extends OperationTables>(database: Kysely<Tables>, clock: Clock) {
  const db = database as unknown as Kysely<OperationTables>;
  const now = () => clock.now().toISOString();
  const newestFirst = () => db.selectFrom("operation").selectAll().orderBy("sequence", "desc");

  return {
    /** Pass the transaction that makes the resource, so that neither exists without the other. */
    async insert(operation: NewOperation, transaction?: unknown): Promise<void> {
      const target = (transaction ?? db) as Kysely<OperationTables>;
      await target
        .insertInto("operation")
        .values({
          id: operation.id,
          workspace_id: operation.workspaceId,
          kind: operation.kind,
          version: operation.version,
          status: "NotStarted",
          input: JSON.stringify(operation.input),
          state: "{}",
          step: null,
          queue: operation.queue,
          attempt: 0,
          lease_owner: null,
          lease_until: null,
          lease_epoch: 0,
          cancel_requested: 0,
          error: null,
          created_at: now(),
          started_at: null,
          ended_at: null,
          sequence: sql<number>`(select coalesce(max(sequence), 0) + 1 from operation)`,
          reads: 0,
        })
        .execute();
    },

    async find(workspaceId: string, id: string): Promise<Operation | undefined> {
      const row = await db
        .selectFrom("operation")
        .selectAll()
        .where("id", "=", id)
        .where("workspace_id", "=", workspaceId)
        .executeTakeFirst();
      return row && toOperation(row);
    },

    async list(workspaceId: string, limit: number): Promise<Operation[]> {
      const rows = await newestFirst().where("workspace_id", "=", workspaceId).limit(limit).execute();
      return rows.map(toOperation);
    },

    /** Newest first. */
    async inQueue(queue: string): Promise<Operation[]> {
      const rows = await newestFirst().where("queue", "=", queue).execute();
      return rows.map(toOperation);
    },

    /** Those of a queue that have not ended, newest first. */
    async openInQueue(queue: string): Promise<Operation[]> {
      const rows = await newestFirst().where("queue", "=", queue).where("ended_at", "is", null).execute();
      return rows.map(toOperation);
    },

    /** Inputs and states of all that have not ended, as they are stored: for who must know what is still needed. */
    async openTexts(on: unknown = db): Promise<string[]> {
      const rows = await (on as Kysely<OperationTables>)
        .selectFrom("operation")
        .select(["input", "state"])
        .where("ended_at", "is", null)
        .execute();
      return rows.flatMap(({ input, state }) => [input, state]);
    },

    /** Counts a read and returns how many there were before. */
    async countRead(id: string): Promise<number> {
      const row = await db
        .updateTable("operation")
        .set((eb) => ({ reads: eb("reads", "+", 1) }))
        .where("id", "=", id)
        .returning("reads")
        .executeTakeFirst();
      return (row?.reads ?? 1) - 1;
    },

    async requestCancel(id: string): Promise<void> {
      await db
        .updateTable("operation")
        .set({ cancel_requested: 1 })
        .where("id", "=", id)
        .where("ended_at", "is", null)
        .execute();
    },

    /** Takes the oldest operation that is free and first in its queue, or returns undefined. */
    async claim(owner: string, leaseMs: number): Promise<Claim | undefined> {
      const at = now();
      const row = await db
        .updateTable("operation")
        .set((eb) => ({
          status: "Running",
          lease_owner: owner,
          lease_until: new Date(clock.now().getTime() + leaseMs).toISOString(),
          lease_epoch: eb("lease_epoch", "+", 1),
          attempt: eb("attempt", "+", 1),
          started_at: sql<string>`coalesce(started_at, ${at})`,
        }))
        .where("id", "=", (eb) =>
          eb
            .selectFrom("operation as o")
            .select("o.id")
            .where("o.ended_at", "is", null)
            .where((w) => w.or([w("o.lease_until", "is", null), w("o.lease_until", "<", at)]))
            .where((w) =>
              w.not(
                w.exists(
                  w
                    .selectFrom("operation as earlier")
                    .select("earlier.id")
                    .whereRef("earlier.queue", "=", "o.queue")
                    .whereRef("earlier.sequence", "<", "o.sequence")
                    .where("earlier.ended_at", "is", null),
                ),
              ),
            )
            .orderBy("o.sequence")
            .limit(1),
        )
        .returningAll()
        .executeTakeFirst();
      if (row === undefined) return undefined;
      const operation = toOperation(row);
      return { operation, lease: { operationId: row.id, epoch: row.lease_epoch }, attempt: row.attempt };
    },

    async renew(lease: Lease, leaseMs: number): Promise<Hold> {
      const row = await db
        .updateTable("operation")
        .set({ lease_until: new Date(clock.now().getTime() + leaseMs).toISOString() })
        .where("id", "=", lease.operationId)
        .where("lease_epoch", "=", lease.epoch)
        .where("ended_at", "is", null)
        .returning("cancel_requested")
        .executeTakeFirst();
      return toHold(row);
    },

    /** Stores what the steps so far returned, and the name of the step that comes next. */
    async checkpoint(lease: Lease, step: string | null, state: Record<string, unknown>): Promise<Hold> {
      const row = await db
        .updateTable("operation")
        .set({ step, state: JSON.stringify(state) })
        .where("id", "=", lease.operationId)
        .where("lease_epoch", "=", lease.epoch)
        .where("ended_at", "is", null)
        .returning("cancel_requested")
        .executeTakeFirst();
      return toHold(row);
    },

    /** Gives an operation back in good order: the take-up does not count as an attempt. */
    async release(lease: Lease): Promise<void> {
      await db
        .updateTable("operation")
        .set((eb) => ({ lease_owner: null, lease_until: null, attempt: eb("attempt", "-", 1) }))
        .where("id", "=", lease.operationId)
        .where("lease_epoch", "=", lease.epoch)
        .where("ended_at", "is", null)
        .execute();
    },

    async finish(lease: Lease, status: OperationStatus, error: OperationError | null): Promise<boolean> {
      const result = await db
        .updateTable("operation")
        .set({ status, error: error && JSON.stringify(error), ended_at: now(), lease_owner: null, lease_until: null })
        .where("id", "=", lease.operationId)
        .where("lease_epoch", "=", lease.epoch)
        .where("ended_at", "is", null)
        .executeTakeFirst();
      return result.numUpdatedRows === 1n;
    },

    /** Gives everything back that this data folder's earlier process held: there is only one control plane. */
    async releaseAll(): Promise<void> {
      await db
        .updateTable("operation")
        .set({ lease_owner: null, lease_until: null })
        .where("ended_at", "is", null)
        .execute();
    },

    async appendLog(operationId: string, text: string): Promise<void> {
      await db.insertInto("operation_log").values({ operation_id: operationId, at: now(), text }).execute();
    },

    async log(operationId: string): Promise<LogEntry[]> {
      return db
        .selectFrom("operation_log")
        .select(["at", "text"])
        .where("operation_id", "=", operationId)
        .orderBy("id")
        .execute();
    },
  };
}

function toHold(row: { cancel_requested: number } | undefined): Hold {
  return { held: row !== undefined, cancelRequested: row?.cancel_requested === 1 };
}

function toOperation(row: OperationTables["operation"]): Operation {
  return {
    id: row.id,
    workspaceId: row.workspace_id,
    kind: row.kind,
    version: row.version,
    status: row.status as OperationStatus,
    input: JSON.parse(row.input),
    state: JSON.parse(row.state),
    step: row.step,
    queue: row.queue,
    cancelRequested: row.cancel_requested === 1,
    error: row.error === null ? null : JSON.parse(row.error),
    createdAt: row.created_at,
    startedAt: row.started_at,
    endedAt: row.ended_at,
  };
}
