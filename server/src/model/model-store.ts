import { type ExpressionBuilder, type Kysely, sql } from "kysely";
import type { Clock } from "../platform/clock.ts";
import type { Model, ModelEdit, NewModel } from "./model.ts";
import { parseModelId } from "./model.ts";
import type { LabelFilter, ModelPosition, ModelQuery } from "./model-query.ts";
import type { ModelTables } from "./model-tables.ts";

export type ModelStore = ReturnType<typeof createModelStore>;

export interface ModelPage {
  readonly models: readonly Model[];
  /** where the next page begins; undefined on the last one */
  readonly next: ModelPosition | undefined;
}

type LabelKind = "tag" | "property" | "dataset";
type Row = ModelTables["model"];

/** All SQL of models. */
export function createModelStore<Tables extends ModelTables>(database: Kysely<Tables>, clock: Clock) {
  const db = database as unknown as Kysely<ModelTables>;
  const now = () => clock.now().toISOString();

  return {
    /** The next version of this name. The same request key again gives the model that was made then. */
    async insert(workspaceId: string, model: NewModel, requestKey: string | null): Promise<Model> {
      return db.transaction().execute(async (tx) => {
        if (requestKey !== null) {
          const repeated = await rowByRequest(tx, workspaceId, requestKey);
          if (repeated !== undefined) return one(await withLabels(tx, [repeated]));
        }
        const counter = await tx
          .insertInto("model_counter")
          .values({ workspace_id: workspaceId, name: model.name, last_version: 1 })
          .onConflict((conflict) =>
            conflict
              .columns(["workspace_id", "name"])
              .doUpdateSet({ last_version: sql<number>`model_counter.last_version + 1` }),
          )
          .returning("last_version")
          .executeTakeFirstOrThrow();
        const at = now();
        const row = await tx
          .insertInto("model")
          .values({
            workspace_id: workspaceId,
            name: model.name,
            version: counter.last_version,
            framework: model.framework,
            framework_version: model.frameworkVersion,
            url: model.url,
            mime_type: model.mimeType,
            unpack: model.unpack ? 1 : 0,
            experiment_name: model.experimentName,
            run_id: model.runId,
            parent_model_id: model.parentModelId,
            ...editColumns(model),
            created_at: at,
            modified_at: at,
            request_key: requestKey,
          } as Row)
          .returningAll()
          .executeTakeFirstOrThrow();
        await insertLabels(tx, row.sequence, model);
        return one(await withLabels(tx, [row]));
      });
    },

    async find(workspaceId: string, id: string): Promise<Model | undefined> {
      const row = await rowById(db, workspaceId, id);
      return row && one(await withLabels(db, [row]));
    },

    async findByRequest(workspaceId: string, requestKey: string): Promise<Model | undefined> {
      const row = await rowByRequest(db, workspaceId, requestKey);
      return row && one(await withLabels(db, [row]));
    },

    /** `edit` sees the newest state and must be pure; undefined when there is no such model. */
    async update(workspaceId: string, id: string, edit: (model: Model) => ModelEdit): Promise<Model | undefined> {
      return db.transaction().execute(async (tx) => {
        const row = await rowById(tx, workspaceId, id);
        if (row === undefined) return undefined;
        const changed = edit(one(await withLabels(tx, [row])));
        await tx.deleteFrom("model_label").where("model_sequence", "=", row.sequence).execute();
        await insertLabels(tx, row.sequence, changed);
        const columns = { ...editColumns(changed), modified_at: now() };
        await tx.updateTable("model").set(columns).where("sequence", "=", row.sequence).execute();
        return one(await withLabels(tx, [{ ...row, ...columns }]));
      });
    },

    /** @returns whether there was one */
    async delete(workspaceId: string, id: string): Promise<boolean> {
      const parsed = parseModelId(id);
      if (parsed === undefined) return false;
      const result = await db
        .deleteFrom("model")
        .where("workspace_id", "=", workspaceId)
        .where("name", "=", parsed.name)
        .where("version", "=", parsed.version)
        .executeTakeFirst();
      return result.numDeletedRows === 1n;
    },

    async list(workspaceId: string, query: ModelQuery): Promise<ModelPage> {
      const rows = await listQuery(db, workspaceId, query).execute();
      const page = rows.slice(0, query.limit);
      const last = page.at(-1);
      const next =
        rows.length > query.limit && last !== undefined
          ? { sequence: last.sequence, time: last.modified_at }
          : undefined;
      return { models: await withLabels(db, page), next };
    },
  };
}

function listQuery(db: Kysely<ModelTables>, workspaceId: string, query: ModelQuery) {
  let select = db.selectFrom("model").selectAll().where("workspace_id", "=", workspaceId);
  if (query.name !== undefined) select = select.where("name", "=", query.name);
  if (query.framework !== undefined) select = select.where("framework", "=", query.framework);
  if (query.runId !== undefined) select = select.where("run_id", "=", query.runId);
  for (const filter of query.tags) select = select.where((where) => hasLabel(where, "tag", filter));
  for (const filter of query.properties) select = select.where((where) => hasLabel(where, "property", filter));
  const { datasetId } = query;
  if (datasetId !== undefined) select = select.where((where) => hasLabel(where, "dataset", { key: datasetId }));
  if (query.latestVersionOnly) {
    select = select.where((where) =>
      where.not(
        where.exists(
          where
            .selectFrom("model as newer")
            .select("newer.sequence")
            .whereRef("newer.workspace_id", "=", "model.workspace_id")
            .whereRef("newer.name", "=", "model.name")
            .whereRef("newer.version", ">", "model.version"),
        ),
      ),
    );
  }

  const descending = query.order.endsWith("Desc");
  const direction = descending ? "desc" : "asc";
  const beyond = descending ? "<" : ">";
  const byChange = query.order.startsWith("UpdatedAt");
  const { after } = query;
  if (after !== undefined) {
    select = byChange
      ? select.where((where) =>
          where.or([
            where("modified_at", beyond, after.time),
            where.and([where("modified_at", "=", after.time), where("sequence", beyond, after.sequence)]),
          ]),
        )
      : select.where("sequence", beyond, after.sequence);
  }
  if (byChange) select = select.orderBy("modified_at", direction);
  return select
    .orderBy("sequence", direction)
    .limit(query.limit + 1)
    .offset(query.offset);
}

function hasLabel(where: ExpressionBuilder<ModelTables, "model">, kind: LabelKind, filter: LabelFilter) {
  let label = where
    .selectFrom("model_label")
    .select("model_label.key")
    .whereRef("model_label.model_sequence", "=", "model.sequence")
    .where("model_label.kind", "=", kind)
    .where("model_label.key", "=", filter.key);
  if (filter.value !== undefined) label = label.where("model_label.value", "=", filter.value);
  return where.exists(label);
}

function rowByRequest(db: Kysely<ModelTables>, workspaceId: string, requestKey: string): Promise<Row | undefined> {
  return db
    .selectFrom("model")
    .selectAll()
    .where("workspace_id", "=", workspaceId)
    .where("request_key", "=", requestKey)
    .executeTakeFirst();
}

async function rowById(db: Kysely<ModelTables>, workspaceId: string, id: string): Promise<Row | undefined> {
  const parsed = parseModelId(id);
  if (parsed === undefined) return undefined;
  return db
    .selectFrom("model")
    .selectAll()
    .where("workspace_id", "=", workspaceId)
    .where("name", "=", parsed.name)
    .where("version", "=", parsed.version)
    .executeTakeFirst();
}

function editColumns(edit: ModelEdit) {
  return {
    description: edit.description,
    sample_input: edit.sampleInputData,
    sample_output: edit.sampleOutputData,
    resource_requirements: edit.resourceRequirements && JSON.stringify(edit.resourceRequirements),
    datasets: JSON.stringify(edit.datasets),
  };
}

async function insertLabels(db: Kysely<ModelTables>, sequence: number, edit: ModelEdit): Promise<void> {
  const label =
    (kind: LabelKind) =>
    ([key, value]: [string, string]) => ({ model_sequence: sequence, kind, key, value });
  const datasets = Object.fromEntries(edit.datasets.map(({ id }) => [id, ""]));
  const labels = [
    ...Object.entries(edit.tags).map(label("tag")),
    ...Object.entries(edit.properties).map(label("property")),
    ...Object.entries(datasets).map(label("dataset")),
  ];
  // In pieces: SQLite binds 32,766 values in one statement at most.
  for (let at = 0; at < labels.length; at += 1_000) {
    await db
      .insertInto("model_label")
      .values(labels.slice(at, at + 1_000))
      .execute();
  }
}

/** Completes rows, in their order, by two queries however many there are. */
async function withLabels(db: Kysely<ModelTables>, rows: readonly Row[]): Promise<Model[]> {
  const [first] = rows;
  if (first === undefined) return [];
  const labels = await db
    .selectFrom("model_label")
    .selectAll()
    .where(
      "model_sequence",
      "in",
      rows.map((row) => row.sequence),
    )
    .orderBy("key")
    .execute();
  const derived = await db
    .selectFrom("model")
    .select(["name", "version", "parent_model_id"])
    .where("workspace_id", "=", first.workspace_id)
    .where(
      "parent_model_id",
      "in",
      rows.map((row) => `${row.name}:${row.version}`),
    )
    .orderBy("sequence")
    .execute();
  return rows.map((row) => {
    const id = `${row.name}:${row.version}`;
    const own = labels.filter((label) => label.model_sequence === row.sequence);
    const entries = (kind: LabelKind) =>
      Object.fromEntries(own.filter((label) => label.kind === kind).map(({ key, value }) => [key, value]));
    return {
      id,
      workspaceId: row.workspace_id,
      name: row.name,
      version: row.version,
      framework: row.framework,
      frameworkVersion: row.framework_version,
      description: row.description,
      tags: entries("tag"),
      properties: entries("property"),
      url: row.url,
      mimeType: row.mime_type,
      unpack: row.unpack === 1,
      experimentName: row.experiment_name,
      runId: row.run_id,
      parentModelId: row.parent_model_id,
      derivedModelIds: derived
        .filter((child) => child.parent_model_id === id)
        .map(({ name, version }) => `${name}:${version}`),
      sampleInputData: row.sample_input,
      sampleOutputData: row.sample_output,
      resourceRequirements: row.resource_requirements === null ? null : JSON.parse(row.resource_requirements),
      datasets: JSON.parse(row.datasets),
      createdAt: row.created_at,
      modifiedAt: row.modified_at,
    };
  });
}

function one(models: readonly Model[]): Model {
  const [model] = models;
  if (model === undefined) throw new Error("A model that was just read is not there.");
  return model;
}
