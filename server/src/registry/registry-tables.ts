import type { Kysely, Migration } from "kysely";

export interface RegistryTables {
  registry_layer: { digest: string; diff_id: string; media_type: string; size_bytes: number; source: string };
  registry_manifest: {
    workspace_id: string;
    repository: string;
    digest: string;
    media_type: string;
    size_bytes: number;
  };
  /** what the manifests of a repository name; nothing else can be pulled from it */
  registry_content: { workspace_id: string; repository: string; manifest: string; digest: string };
  registry_tag: { workspace_id: string; repository: string; tag: string; digest: string; updated_at: string };
}

export const registryMigration: Migration = {
  async up(db: Kysely<never>) {
    await db.schema
      .createTable("registry_layer")
      .addColumn("digest", "text", (c) => c.primaryKey())
      .addColumn("diff_id", "text", (c) => c.notNull())
      .addColumn("media_type", "text", (c) => c.notNull())
      .addColumn("size_bytes", "integer", (c) => c.notNull())
      .addColumn("source", "text", (c) => c.notNull())
      .execute();
    await db.schema
      .createTable("registry_manifest")
      .addColumn("workspace_id", "text", (c) => c.notNull())
      .addColumn("repository", "text", (c) => c.notNull())
      .addColumn("digest", "text", (c) => c.notNull())
      .addColumn("media_type", "text", (c) => c.notNull())
      .addColumn("size_bytes", "integer", (c) => c.notNull())
      .addPrimaryKeyConstraint("registry_manifest_key", ["workspace_id", "repository", "digest"])
      .execute();
    await db.schema
      .createTable("registry_content")
      .addColumn("workspace_id", "text", (c) => c.notNull())
      .addColumn("repository", "text", (c) => c.notNull())
      .addColumn("digest", "text", (c) => c.notNull())
      .addColumn("manifest", "text", (c) => c.notNull())
      .addPrimaryKeyConstraint("registry_content_key", ["workspace_id", "repository", "digest", "manifest"])
      .execute();
    await db.schema
      .createTable("registry_tag")
      .addColumn("workspace_id", "text", (c) => c.notNull())
      .addColumn("repository", "text", (c) => c.notNull())
      .addColumn("tag", "text", (c) => c.notNull())
      .addColumn("digest", "text", (c) => c.notNull())
      .addColumn("updated_at", "text", (c) => c.notNull())
      .addPrimaryKeyConstraint("registry_tag_key", ["workspace_id", "repository", "tag"])
      .execute();
  },
};
