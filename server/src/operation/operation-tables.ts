import type { Generated, Kysely, Migration } from "kysely";

export interface OperationTables {
  operation: {
    id: string;
    workspace_id: string;
    kind: string;
    version: number;
    status: string;
    input: string;
    state: string;
    step: string | null;
    queue: string;
    /** how often a runner took it up: a cap on this ends crash loops */
    attempt: number;
    lease_owner: string | null;
    lease_until: string | null;
    /** raised by every claim; a write of an older epoch changes no row */
    lease_epoch: number;
    cancel_requested: number;
    error: string | null;
    created_at: string;
    started_at: string | null;
    ended_at: string | null;
    /** strictly increasing: the order in a queue */
    sequence: number;
    /** how often a client asked for it: the first read is never held open */
    reads: number;
  };
  operation_log: { id: Generated<number>; operation_id: string; at: string; text: string };
}

export const operationMigration: Migration = {
  async up(db: Kysely<never>) {
    await db.schema
      .createTable("operation")
      .addColumn("id", "text", (c) => c.primaryKey())
      .addColumn("workspace_id", "text", (c) => c.notNull())
      .addColumn("kind", "text", (c) => c.notNull())
      .addColumn("version", "integer", (c) => c.notNull())
      .addColumn("status", "text", (c) => c.notNull())
      .addColumn("input", "text", (c) => c.notNull())
      .addColumn("state", "text", (c) => c.notNull())
      .addColumn("step", "text")
      .addColumn("queue", "text", (c) => c.notNull())
      .addColumn("attempt", "integer", (c) => c.notNull())
      .addColumn("lease_owner", "text")
      .addColumn("lease_until", "text")
      .addColumn("lease_epoch", "integer", (c) => c.notNull())
      .addColumn("cancel_requested", "integer", (c) => c.notNull())
      .addColumn("error", "text")
      .addColumn("created_at", "text", (c) => c.notNull())
      .addColumn("started_at", "text")
      .addColumn("ended_at", "text")
      .addColumn("sequence", "integer", (c) => c.notNull().unique())
      .addColumn("reads", "integer", (c) => c.notNull())
      .execute();
    await db.schema.createIndex("operation_open").on("operation").columns(["ended_at", "sequence"]).execute();
    await db.schema.createIndex("operation_queue").on("operation").columns(["queue", "sequence"]).execute();
    await db.schema
      .createTable("operation_log")
      .addColumn("id", "integer", (c) => c.primaryKey().autoIncrement())
      .addColumn("operation_id", "text", (c) => c.notNull().references("operation.id").onDelete("cascade"))
      .addColumn("at", "text", (c) => c.notNull())
      .addColumn("text", "text", (c) => c.notNull())
      .execute();
    await db.schema.createIndex("operation_log_of").on("operation_log").columns(["operation_id", "id"]).execute();
  },
};
