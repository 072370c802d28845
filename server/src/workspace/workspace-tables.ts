import type { Kysely, Migration } from "kysely";

export interface WorkspaceTables {
  workspace: {
    id: string;
    subscription_id: string;
    resource_group: string;
    name: string;
    /** lower case of the three, joined: names match in any case */
    key: string;
    created_at: string;
  };
}

export const workspaceMigration: Migration = {
  async up(db: Kysely<never>) {
    await db.schema
      .createTable("workspace")
      .addColumn("id", "text", (c) => c.primaryKey())
      .addColumn("subscription_id", "text", (c) => c.notNull())
      .addColumn("resource_group", "text", (c) => c.notNull())
      .addColumn("name", "text", (c) => c.notNull())
      .addColumn("key", "text", (c) => c.notNull().unique())
      .addColumn("created_at", "text", (c) => c.notNull())
      .execute();
  },
};
