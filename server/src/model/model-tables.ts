import type { Kysely, Migration } from "kysely";

export interface ModelTables {
  asset: {
    id: string;
    workspace_id: string;
    name: string;
    /** JSON of the parts */
    artifacts: string;
    created_at: string;
    request_key: string | null;
  };
  model: {
    /** strictly increasing: the order of creation */
    sequence: number;
    workspace_id: string;
    name: string;
    version: number;
    framework: string;
    framework_version: string | null;
    description: string | null;
    url: string;
    mime_type: string;
    unpack: number;
    experiment_name: string | null;
    run_id: string | null;
    parent_model_id: string | null;
    sample_input: string | null;
    sample_output: string | null;
    /** JSON */
    resource_requirements: string | null;
    /** JSON */
    datasets: string;
    created_at: string;
    modified_at: string;
    /** of the create request, so that a repeated one does not make a second model */
    request_key: string | null;
  };
  /** tags, properties and data set ids, one row each, so that they can be searched */
  model_label: { model_sequence: number; kind: string; key: string; value: string };
  /** outlives the models: a version number is never given twice */
  model_counter: { workspace_id: string; name: string; last_version: number };
}

export const modelMigration: Migration = {
  async up(db: Kysely<never>) {
    await db.schema
      .createTable("asset")
      .addColumn("id", "text", (c) => c.primaryKey())
      .addColumn("workspace_id", "text", (c) => c.notNull())
      .addColumn("name", "text", (c) => c.notNull())
      .addColumn("artifacts", "text", (c) => c.notNull())
      .addColumn("created_at", "text", (c) => c.notNull())
      .addColumn("request_key", "text")
      .addUniqueConstraint("asset_request", ["workspace_id", "request_key"])
      .execute();
    await db.schema
      .createTable("model")
      .addColumn("sequence", "integer", (c) => c.primaryKey().autoIncrement())
      .addColumn("workspace_id", "text", (c) => c.notNull())
      .addColumn("name", "text", (c) => c.notNull())
      .addColumn("version", "integer", (c) => c.notNull())
      .addColumn("framework", "text", (c) => c.notNull())
      .addColumn("framework_version", "text")
      .addColumn("description", "text")
      .addColumn("url", "text", (c) => c.notNull())
      .addColumn("mime_type", "text", (c) => c.notNull())
      .addColumn("unpack", "integer", (c) => c.notNull())
      .addColumn("experiment_name", "text")
      .addColumn("run_id", "text")
      .addColumn("parent_model_id", "text")
      .addColumn("sample_input", "text")
      .addColumn("sample_output", "text")
      .addColumn("resource_requirements", "text")
      .addColumn("datasets", "text", (c) => c.notNull())
      .addColumn("created_at", "text", (c) => c.notNull())
      .addColumn("modified_at", "text", (c) => c.notNull())
      .addColumn("request_key", "text")
      .addUniqueConstraint("model_id", ["workspace_id", "name", "version"])
      .addUniqueConstraint("model_request", ["workspace_id", "request_key"])
      .execute();
    await db.schema.createIndex("model_parent").on("model").columns(["workspace_id", "parent_model_id"]).execute();
    await db.schema
      .createTable("model_label")
      .addColumn("model_sequence", "integer", (c) => c.notNull().references("model.sequence").onDelete("cascade"))
      .addColumn("kind", "text", (c) => c.notNull())
      .addColumn("key", "text", (c) => c.notNull())
      .addColumn("value", "text", (c) => c.notNull())
      .addPrimaryKeyConstraint("model_label_id", ["model_sequence", "kind", "key"])
      .execute();
    await db.schema
      .createTable("model_counter")
      .addColumn("workspace_id", "text", (c) => c.notNull())
      .addColumn("name", "text", (c) => c.notNull())
      .addColumn("last_version", "integer", (c) => c.notNull())
      .addPrimaryKeyConstraint("model_counter_id", ["workspace_id", "name"])
      .execute();
  },
};
