import type { Kysely, Migration } from "kysely";
import type { ServiceCertificateTables } from "./service-certificate-tables.ts";

export interface ServiceTables extends ServiceCertificateTables {
  service: {
    id: string;
    workspace_id: string;
    name: string;
    description: string | null;
    tags: string;
    properties: string;
    compute_type: string;
    compute_name: string | null;
    state: string;
    attempt_error: string | null;
    health_error: string | null;
    settings: string;
    desired: string;
    serving_revision: string | null;
    operation_id: string | null;
    wire_extras: string;
    created_at: string;
    updated_at: string;
    /** set when somebody deletes it: the name is free from then on, the row stays until its replicas are gone */
    deleted_at: string | null;
  };
  service_key: {
    service_id: string;
    kind: string;
    sealed: string;
    /** hex; the gateway gets salt and hash only */
    salt: string;
    hash: string;
  };
  revision: {
    id: string;
    service_id: string;
    number: number;
    /** the operation that made it: a step that runs again finds it */
    operation_id: string;
    settings: string;
    target: string;
    state: string;
    cause: string | null;
    created_at: string;
    removed_at: string | null;
  };
  route_version: { id: number; version: number };
}

export const serviceMigration: Migration = {
  async up(db: Kysely<never>) {
    await db.schema
      .createTable("service")
      .addColumn("id", "text", (c) => c.primaryKey())
      .addColumn("workspace_id", "text", (c) => c.notNull())
      .addColumn("name", "text", (c) => c.notNull())
      .addColumn("description", "text")
      .addColumn("tags", "text", (c) => c.notNull())
      .addColumn("properties", "text", (c) => c.notNull())
      .addColumn("compute_type", "text", (c) => c.notNull())
      .addColumn("compute_name", "text")
      .addColumn("state", "text", (c) => c.notNull())
      .addColumn("attempt_error", "text")
      .addColumn("health_error", "text")
      .addColumn("settings", "text", (c) => c.notNull())
      .addColumn("desired", "text", (c) => c.notNull())
      .addColumn("serving_revision", "text")
      .addColumn("operation_id", "text")
      .addColumn("wire_extras", "text", (c) => c.notNull())
      .addColumn("created_at", "text", (c) => c.notNull())
      .addColumn("updated_at", "text", (c) => c.notNull())
      .addColumn("deleted_at", "text")
      .execute();
    await db.schema
      .createIndex("service_name")
      .unique()
      .on("service")
      .columns(["workspace_id", "name"])
      .where("deleted_at" as never, "is", null)
      .execute();
    await db.schema
      .createTable("service_key")
      .addColumn("service_id", "text", (c) => c.notNull().references("service.id").onDelete("cascade"))
      .addColumn("kind", "text", (c) => c.notNull())
      .addColumn("sealed", "text", (c) => c.notNull())
      .addColumn("salt", "text", (c) => c.notNull())
      .addColumn("hash", "text", (c) => c.notNull())
      .addPrimaryKeyConstraint("service_key_primary", ["service_id", "kind"])
      .execute();
    await db.schema
      .createTable("revision")
      .addColumn("id", "text", (c) => c.primaryKey())
      .addColumn("service_id", "text", (c) => c.notNull().references("service.id").onDelete("cascade"))
      .addColumn("number", "integer", (c) => c.notNull())
      .addColumn("operation_id", "text", (c) => c.notNull().unique())
      .addColumn("settings", "text", (c) => c.notNull())
      .addColumn("target", "text", (c) => c.notNull())
      .addColumn("state", "text", (c) => c.notNull())
      .addColumn("cause", "text")
      .addColumn("created_at", "text", (c) => c.notNull())
      .addColumn("removed_at", "text")
      .addUniqueConstraint("revision_number", ["service_id", "number"])
      .execute();
    await db.schema
      .createTable("route_version")
      .addColumn("id", "integer", (c) => c.primaryKey())
      .addColumn("version", "integer", (c) => c.notNull())
      .execute();
  },
};
