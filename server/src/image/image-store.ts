import { type Kysely, type Selectable, sql, type Transaction } from "kysely";
import { ownArchitecture } from "../platform/architecture.ts";
import type { BuiltImage, Image, ImageError, ImageState } from "./image.ts";
import type { ImageTables } from "./image-tables.ts";

export interface ImageFilter {
  readonly name?: string | undefined;
  readonly version?: number | undefined;
  readonly modelId?: string | undefined;
  readonly modelName?: string | undefined;
  readonly oldestFirst?: boolean | undefined;
}

export type NewImage = Omit<Image, "id" | "version" | "state" | "error" | "digest">;
export type StoredImage = Image & { readonly sequence: number };
export type ImageStore = ReturnType<typeof createImageStore>;

/** All columns but the large one that lists do not need. */
const COLUMNS = [
  "workspace_id",
  "name",
  "version",
  "sequence",
  "description",
  "tags",
  "properties",
  "image_type",
  "image_flavor",
  "state",
  "error",
  "model_ids",
  "driver_program",
  "assets",
  "target_runtime",
  "conda_file",
  "environment_variables",
  "digest",
  "operation_id",
  "link_secret",
  "created_at",
] as const;

export function createImageStore<Tables extends ImageTables>(database: Kysely<Tables>) {
  const db = database as unknown as Kysely<ImageTables>;

  const at = (workspaceId: string, id: { readonly name: string; readonly version: number }) =>
    db
      .selectFrom("image")
      .where("workspace_id", "=", workspaceId)
      .where("name", "=", id.name)
      .where("version", "=", id.version);

  const change = (workspaceId: string, id: string, values: Partial<ImageTables["image"]>) => {
    const { name, version } = parseImageId(id);
    return db
      .updateTable("image")
      .set(values)
      .where("workspace_id", "=", workspaceId)
      .where("name", "=", name)
      .where("version", "=", version);
  };

  return {
    /** Runs `work` in one transaction. */
    transaction: <T>(work: (transaction: Transaction<ImageTables>) => Promise<T>) => db.transaction().execute(work),

    /** The next version of a name; two at once get two. */
    async nextVersion(transaction: Transaction<ImageTables>, workspaceId: string, name: string): Promise<number> {
      const row = await transaction
        .insertInto("image_name")
        .values({ workspace_id: workspaceId, name, last_version: 1 })
        .onConflict((oc) =>
          oc.columns(["workspace_id", "name"]).doUpdateSet((eb) => ({
            last_version: eb("image_name.last_version", "+", 1),
          })),
        )
        .returning("last_version")
        .executeTakeFirstOrThrow();
      return row.last_version;
    },

    async insert(transaction: Transaction<ImageTables>, image: NewImage, version: number): Promise<void> {
      await transaction
        .insertInto("image")
        .values({
          workspace_id: image.workspaceId,
          name: image.name,
          version,
          sequence: sql<number>`(select coalesce(max(sequence), 0) + 1 from image)`,
          description: image.description,
          tags: JSON.stringify(image.tags),
          properties: JSON.stringify(image.properties),
          image_type: image.imageType,
          image_flavor: image.imageFlavor,
          state: "NotStarted",
          error: null,
          model_ids: JSON.stringify(image.modelIds),
          driver_program: image.driverProgram,
          assets: JSON.stringify(image.assets),
          target_runtime: JSON.stringify(image.targetRuntime),
          conda_file: image.condaFile,
          environment_variables: JSON.stringify(image.environmentVariables),
          digest: null,
          built: null,
          content_key: null,
          operation_id: image.operationId,
          link_secret: image.linkSecret,
          created_at: image.createdAt,
        })
        .execute();
      if (image.modelIds.length === 0) return;
      await transaction
        .insertInto("image_model")
        .values(
          image.modelIds.map((modelId) => ({
            workspace_id: image.workspaceId,
            name: image.name,
            version,
            model_id: modelId,
          })),
        )
        .execute();
    },

    async find(workspaceId: string, id: string): Promise<StoredImage | undefined> {
      const row = await at(workspaceId, parseImageId(id)).select(COLUMNS).executeTakeFirst();
      return row && toImage(row);
    },

    async findByLinkSecret(secret: string): Promise<StoredImage | undefined> {
      const row = await db.selectFrom("image").select(COLUMNS).where("link_secret", "=", secret).executeTakeFirst();
      return row && toImage(row);
    },

    async findBuilt(workspaceId: string, id: string): Promise<BuiltImage | undefined> {
      const row = await at(workspaceId, parseImageId(id)).select("built").executeTakeFirst();
      if (!row?.built) return undefined;
      // Images of older versions say neither.
      return {
        architecture: ownArchitecture(),
        base: null,
        ...(JSON.parse(row.built) as Omit<BuiltImage, "architecture" | "base"> & Partial<BuiltImage>),
      };
    },

    /** Newest first, or oldest first. */
    async list(workspaceId: string, filter: ImageFilter): Promise<StoredImage[]> {
      const { name, version, modelId, modelName } = filter;
      let query = db.selectFrom("image").select(COLUMNS).where("workspace_id", "=", workspaceId);
      if (name !== undefined) query = query.where("name", "=", name);
      if (version !== undefined) query = query.where("version", "=", version);
      if (modelId !== undefined || modelName !== undefined) {
        query = query.where((eb) =>
          eb.exists(
            eb
              .selectFrom("image_model as m")
              .select("m.model_id")
              .whereRef("m.workspace_id", "=", "image.workspace_id")
              .whereRef("m.name", "=", "image.name")
              .whereRef("m.version", "=", "image.version")
              .$if(modelId !== undefined, (models) => models.where("m.model_id", "=", modelId ?? ""))
              .$if(modelName !== undefined, (models) =>
                // A model's id is NAME:VERSION, and names have no colon; ";" is the character after it.
                models.where("m.model_id", ">", `${modelName}:`).where("m.model_id", "<", `${modelName};`),
              ),
          ),
        );
      }
      const rows = await query.orderBy("sequence", filter.oldestFirst ? "asc" : "desc").execute();
      return rows.map(toImage);
    },

    async update(
      workspaceId: string,
      id: string,
      values: Partial<Pick<Image, "tags" | "properties" | "description">>,
    ): Promise<boolean> {
      const result = await change(workspaceId, id, {
        ...(values.tags && { tags: JSON.stringify(values.tags) }),
        ...(values.properties && { properties: JSON.stringify(values.properties) }),
        ...(values.description !== undefined && { description: values.description }),
      }).executeTakeFirst();
      return result.numUpdatedRows === 1n;
    },

    /** What an image that is imported turned out to hold. */
    async setContents(
      workspaceId: string,
      id: string,
      contents: Pick<Image, "modelIds" | "driverProgram" | "environmentVariables">,
    ): Promise<void> {
      const { name, version } = parseImageId(id);
      const { modelIds, driverProgram, environmentVariables } = contents;
      await db.transaction().execute(async (transaction) => {
        await transaction
          .updateTable("image")
          .set({
            model_ids: JSON.stringify(modelIds),
            driver_program: driverProgram,
            environment_variables: JSON.stringify(environmentVariables),
          })
          .where("workspace_id", "=", workspaceId)
          .where("name", "=", name)
          .where("version", "=", version)
          .execute();
        if (modelIds.length === 0) return;
        await transaction
          .insertInto("image_model")
          .values(modelIds.map((modelId) => ({ workspace_id: workspaceId, name, version, model_id: modelId })))
          .onConflict((oc) => oc.doNothing())
          .execute();
      });
    },

    /** An image that is ready stays so: a late failure of its operation must not take it away. */
    async setState(workspaceId: string, id: string, state: ImageState, error: ImageError | null): Promise<void> {
      await change(workspaceId, id, { state, error: error && JSON.stringify(error) })
        .where("state", "!=", "Succeeded")
        .execute();
    },

    /** @returns whether the image still exists */
    async markReady(
      workspaceId: string,
      id: string,
      ready: {
        readonly digest: string;
        readonly built: BuiltImage;
        readonly contentKey: string;
        readonly properties: Image["properties"];
      },
    ): Promise<boolean> {
      const result = await change(workspaceId, id, {
        state: "Succeeded",
        error: null,
        digest: ready.digest,
        built: JSON.stringify(ready.built),
        content_key: ready.contentKey,
        properties: JSON.stringify(ready.properties),
      }).executeTakeFirst();
      return result.numUpdatedRows === 1n;
    },

    /** @returns the content key that no image has any more, if there is one */
    async delete(workspaceId: string, id: string): Promise<string | undefined> {
      const { name, version } = parseImageId(id);
      return db.transaction().execute(async (transaction) => {
        const deleted = await transaction
          .deleteFrom("image")
          .where("workspace_id", "=", workspaceId)
          .where("name", "=", name)
          .where("version", "=", version)
          .returning("content_key")
          .executeTakeFirst();
        const key = deleted?.content_key ?? undefined;
        if (key === undefined) return undefined;
        const other = await transaction
          .selectFrom("image")
          .select("name")
          .where("content_key", "=", key)
          .executeTakeFirst();
        return other === undefined ? key : undefined;
      });
    },

    async findLayer(content: string): Promise<string | undefined> {
      const row = await db.selectFrom("image_layer").select("digest").where("content", "=", content).executeTakeFirst();
      return row?.digest;
    },

    async rememberLayer(content: string, digest: string): Promise<void> {
      await db
        .insertInto("image_layer")
        .values({ content, digest })
        .onConflict((oc) => oc.column("content").doUpdateSet({ digest }))
        .execute();
    },
  };
}

type Row = Pick<Selectable<ImageTables["image"]>, (typeof COLUMNS)[number]>;

/** `name:version`; anything else gives a version that no image has. */
export function parseImageId(id: string): { readonly name: string; readonly version: number } {
  const match = /^([^:]*):([1-9][0-9]{0,8})$/.exec(id);
  return match === null ? { name: id, version: 0 } : { name: match[1] ?? "", version: Number(match[2]) };
}

function toImage(row: Row): StoredImage {
  return {
    id: `${row.name}:${row.version}`,
    workspaceId: row.workspace_id,
    name: row.name,
    version: row.version,
    sequence: row.sequence,
    description: row.description,
    tags: JSON.parse(row.tags),
    properties: JSON.parse(row.properties),
    imageType: row.image_type,
    imageFlavor: row.image_flavor,
    state: row.state as ImageState,
    error: row.error === null ? null : JSON.parse(row.error),
    modelIds: JSON.parse(row.model_ids),
    driverProgram: row.driver_program,
    assets: JSON.parse(row.assets),
    targetRuntime: JSON.parse(row.target_runtime),
    condaFile: row.conda_file,
    environmentVariables: JSON.parse(row.environment_variables),
    digest: row.digest,
    operationId: row.operation_id,
    linkSecret: row.link_secret,
    createdAt: row.created_at,
  };
}
