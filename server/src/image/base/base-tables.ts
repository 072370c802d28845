import type { Kysely, Migration } from "kysely";

export interface BaseTables {
  /** Bases by what they were asked for, fixed by digest. Credentials are not in here. */
  image_base: {
    /** whose it is: empty when anybody can have it, else a workspace with its user name at that registry */
    scope: string;
    reference: string;
    architecture: string;
    digest: string;
    /** platform, layers, config: see StoredBase */
    content: string;
    resolved_at: string;
  };
  /** what was found in a layer of a base: see LayerPythons */
  image_base_layer: { digest: string; pythons: string };
  /** sealed user name and password for the registry of an image's base */
  image_base_credentials: { workspace_id: string; name: string; version: number; sealed: string };
}

export const baseMigration: Migration = {
  async up(db: Kysely<never>) {
    await db.schema
      .createTable("image_base")
      .addColumn("scope", "text", (c) => c.notNull())
      .addColumn("reference", "text", (c) => c.notNull())
      .addColumn("architecture", "text", (c) => c.notNull())
      .addColumn("digest", "text", (c) => c.notNull())
      .addColumn("content", "text", (c) => c.notNull())
      .addColumn("resolved_at", "text", (c) => c.notNull())
      .addPrimaryKeyConstraint("image_base_key", ["scope", "reference", "architecture"])
      .execute();
    await db.schema
      .createTable("image_base_layer")
      .addColumn("digest", "text", (c) => c.primaryKey())
      .addColumn("pythons", "text", (c) => c.notNull())
      .execute();
  },
};

export const baseCredentialsMigration: Migration = {
  async up(db: Kysely<never>) {
    await db.schema
      .createTable("image_base_credentials")
      .addColumn("workspace_id", "text", (c) => c.notNull())
      .addColumn("name", "text", (c) => c.notNull())
      .addColumn("version", "integer", (c) => c.notNull())
      .addColumn("sealed", "text", (c) => c.notNull())
      .addPrimaryKeyConstraint("image_base_credentials_key", ["workspace_id", "name", "version"])
      .addForeignKeyConstraint(
        "image_base_credentials_image",
        ["workspace_id", "name", "version"],
        "image",
        ["workspace_id", "name", "version"],
        (constraint) => constraint.onDelete("cascade"),
      )
      .execute();
  },
};
