import type { Kysely, Migration } from "kysely";

export interface AccessTables {
  /** Service principals: programs that sign in with an id and a secret. */
  principal: {
    client_id: string;
    name: string;
    /** hex of sha256(salt + secret): the secret has 256 random bits, so a slow hash would protect nothing */
    salt: string;
    hash: string;
    created_at: string;
    revoked_at: string | null;
  };
}

export const accessMigration: Migration = {
  async up(db: Kysely<never>) {
    await db.schema
      .createTable("principal")
      .addColumn("client_id", "text", (c) => c.primaryKey())
      .addColumn("name", "text", (c) => c.notNull())
      .addColumn("salt", "text", (c) => c.notNull())
      .addColumn("hash", "text", (c) => c.notNull())
      .addColumn("created_at", "text", (c) => c.notNull())
      .addColumn("revoked_at", "text")
      .execute();
  },
};
