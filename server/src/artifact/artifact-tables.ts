import type { Kysely, Migration } from "kysely";

export interface ArtifactTables {
  artifact: {
    workspace_id: string;
    origin: string;
    container: string;
    path: string;
    upload_id: string;
    created_at: string;
    /** all three null until the file was uploaded, then never changed */
    digest: string | null;
    size_bytes: number | null;
    stored_at: string | null;
  };
}

export const artifactMigration: Migration = {
  async up(db: Kysely<never>) {
    await db.schema
      .createTable("artifact")
      .addColumn("workspace_id", "text", (c) => c.notNull())
      .addColumn("origin", "text", (c) => c.notNull())
      .addColumn("container", "text", (c) => c.notNull())
      .addColumn("path", "text", (c) => c.notNull())
      .addColumn("upload_id", "text", (c) => c.notNull().unique())
      .addColumn("created_at", "text", (c) => c.notNull())
      .addColumn("digest", "text")
      .addColumn("size_bytes", "bigint")
      .addColumn("stored_at", "text")
      .addPrimaryKeyConstraint("artifact_id", ["workspace_id", "origin", "container", "path"])
      .execute();
    await db.schema.createIndex("artifact_digest").on("artifact").columns(["workspace_id", "digest"]).execute();
  },
};
