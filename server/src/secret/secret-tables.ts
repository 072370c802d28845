import type { Kysely, Migration } from "kysely";

export interface SecretTables {
  /** Secrets of the installation itself, sealed: signing keys, the managed-identity segment, registry passwords. */
  secret: { name: string; sealed: string; created_at: string };
}

export const secretMigration: Migration = {
  async up(db: Kysely<never>) {
    await db.schema
      .createTable("secret")
      .addColumn("name", "text", (c) => c.primaryKey())
      .addColumn("sealed", "text", (c) => c.notNull())
      .addColumn("created_at", "text", (c) => c.notNull())
      .execute();
  },
};
