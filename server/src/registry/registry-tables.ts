import { type Kysely, type Migration, sql } from "kysely";

export interface RegistryTables {
  registry_layer: {
    digest: string;
    diff_id: string;
    media_type: string;
    size_bytes: number;
    source: string;
    /** when a build last counted on it */
    used_at: string;
  };
  registry_manifest: {
    workspace_id: string;
    repository: string;
    /** as the client named it: SHA-256 or SHA-512 */
    digest: string;
    /** the stored bytes, always by SHA-256 */
    blob: string;
    media_type: string;
    size_bytes: number;
    /** the manifest that this one is about (OCI image specification, "subject") */
    subject: string | null;
    artifact_type: string | null;
    /** JSON */
    annotations: string | null;
    /** when the garbage collection first saw that nothing names it; null while something does */
    unnamed_since: string | null;
  };
  /** what the manifests of a repository name, blobs and other manifests */
  registry_content: {
    workspace_id: string;
    repository: string;
    manifest: string;
    digest: string;
    kind: "blob" | "manifest";
  };
  /** what clients uploaded to a repository or mounted from another one, named by a manifest or not yet */
  registry_blob: {
    workspace_id: string;
    repository: string;
    /** as the client named it: SHA-256 or SHA-512 */
    digest: string;
    /** the stored bytes, always by SHA-256 */
    blob: string;
    size_bytes: number;
    /** when a client last counted on it */
    used_at: string;
  };
  /** only of workspaces whose admin user was ever switched; the others' is on */
  registry_account: { workspace_id: string; enabled: number };
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

/** Pushes, referrers and garbage collection. */
export const registryPushMigration: Migration = {
  async up(db: Kysely<never>) {
    await db.schema
      .alterTable("registry_layer")
      .addColumn("used_at", "text", (c) => c.notNull().defaultTo(""))
      .execute();
    for (const column of ["subject", "artifact_type", "annotations", "unnamed_since"]) {
      await db.schema.alterTable("registry_manifest").addColumn(column, "text").execute();
    }
    await db.schema
      .alterTable("registry_manifest")
      .addColumn("blob", "text", (c) => c.notNull().defaultTo(""))
      .execute();
    await sql`update registry_manifest set blob = digest`.execute(db);
    await db.schema
      .createIndex("registry_manifest_subject")
      .on("registry_manifest")
      .columns(["workspace_id", "repository", "subject"])
      .execute();
    await db.schema
      .alterTable("registry_content")
      .addColumn("kind", "text", (c) => c.notNull().defaultTo("blob"))
      .execute();
    await db.schema
      .createTable("registry_blob")
      .addColumn("workspace_id", "text", (c) => c.notNull())
      .addColumn("repository", "text", (c) => c.notNull())
      .addColumn("digest", "text", (c) => c.notNull())
      .addColumn("blob", "text", (c) => c.notNull())
      .addColumn("size_bytes", "integer", (c) => c.notNull())
      .addColumn("used_at", "text", (c) => c.notNull())
      .addPrimaryKeyConstraint("registry_blob_key", ["workspace_id", "digest", "repository"])
      .execute();
    await db.schema
      .createTable("registry_account")
      .addColumn("workspace_id", "text", (c) => c.primaryKey())
      .addColumn("enabled", "integer", (c) => c.notNull())
      .execute();
  },
};
