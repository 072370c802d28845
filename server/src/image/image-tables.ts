import type { Kysely, Migration } from "kysely";

export interface ImageTables {
  image: {
    workspace_id: string;
    name: string;
    version: number;
    /** strictly increasing over all images: the order of lists, and where a page begins */
    sequence: number;
    description: string | null;
    tags: string;
    properties: string;
    image_type: string;
    image_flavor: string;
    state: string;
    error: string | null;
    model_ids: string;
    driver_program: string | null;
    assets: string;
    target_runtime: string;
    conda_file: string | null;
    environment_variables: string;
    digest: string | null;
    /** what a finished build leaves: see BuiltImage */
    built: string | null;
    /** names the application folder of a finished build */
    content_key: string | null;
    operation_id: string;
    link_secret: string;
    created_at: string;
  };
  /** `model_ids` once more, for looking up by model */
  image_model: { workspace_id: string; name: string; version: number; model_id: string };
  /** the last version given out under a name: a deleted version's number does not come again */
  image_name: { workspace_id: string; name: string; last_version: number };
  /** layers by what they are made from, so that unchanged ones are found again without reading a byte */
  image_layer: { content: string; digest: string };
}

export const imageMigration: Migration = {
  async up(db: Kysely<never>) {
    await db.schema
      .createTable("image")
      .addColumn("workspace_id", "text", (c) => c.notNull())
      .addColumn("name", "text", (c) => c.notNull())
      .addColumn("version", "integer", (c) => c.notNull())
      .addColumn("sequence", "integer", (c) => c.notNull().unique())
      .addColumn("description", "text")
      .addColumn("tags", "text", (c) => c.notNull())
      .addColumn("properties", "text", (c) => c.notNull())
      .addColumn("image_type", "text", (c) => c.notNull())
      .addColumn("image_flavor", "text", (c) => c.notNull())
      .addColumn("state", "text", (c) => c.notNull())
      .addColumn("error", "text")
      .addColumn("model_ids", "text", (c) => c.notNull())
      .addColumn("driver_program", "text")
      .addColumn("assets", "text", (c) => c.notNull())
      .addColumn("target_runtime", "text", (c) => c.notNull())
      .addColumn("conda_file", "text")
      .addColumn("environment_variables", "text", (c) => c.notNull())
      .addColumn("digest", "text")
      .addColumn("built", "text")
      .addColumn("content_key", "text")
      .addColumn("operation_id", "text", (c) => c.notNull())
      .addColumn("link_secret", "text", (c) => c.notNull().unique())
      .addColumn("created_at", "text", (c) => c.notNull())
      .addPrimaryKeyConstraint("image_key", ["workspace_id", "name", "version"])
      .execute();
    await db.schema.createIndex("image_content").on("image").column("content_key").execute();
    await db.schema
      .createTable("image_model")
      .addColumn("workspace_id", "text", (c) => c.notNull())
      .addColumn("name", "text", (c) => c.notNull())
      .addColumn("version", "integer", (c) => c.notNull())
      .addColumn("model_id", "text", (c) => c.notNull())
      .addPrimaryKeyConstraint("image_model_key", ["workspace_id", "name", "version", "model_id"])
      .addForeignKeyConstraint(
        "image_model_image",
        ["workspace_id", "name", "version"],
        "image",
        ["workspace_id", "name", "version"],
        (constraint) => constraint.onDelete("cascade"),
      )
      .execute();
    await db.schema.createIndex("image_model_of").on("image_model").columns(["workspace_id", "model_id"]).execute();
    await db.schema
      .createTable("image_name")
      .addColumn("workspace_id", "text", (c) => c.notNull())
      .addColumn("name", "text", (c) => c.notNull())
      .addColumn("last_version", "integer", (c) => c.notNull())
      .addPrimaryKeyConstraint("image_name_key", ["workspace_id", "name"])
      .execute();
    await db.schema
      .createTable("image_layer")
      .addColumn("content", "text", (c) => c.primaryKey())
      .addColumn("digest", "text", (c) => c.notNull())
      .execute();
  },
};
