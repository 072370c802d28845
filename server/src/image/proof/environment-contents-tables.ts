import type { Kysely, Migration } from "kysely";

export interface EnvironmentContentsTables {
  /** what environments and bases (`base:` and the digest) consist of, read once: see EnvironmentContents, BaseContents */
  image_environment: { environment_id: string; contents: string };
}

export const environmentContentsMigration: Migration = {
  async up(db: Kysely<never>) {
    await db.schema
      .createTable("image_environment")
      .addColumn("environment_id", "text", (c) => c.primaryKey())
      .addColumn("contents", "text", (c) => c.notNull())
      .execute();
  },
};
