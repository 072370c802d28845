import type { Kysely } from "kysely";
import type { NamedRows } from "../platform/database/unnamed-rows.ts";
import type { ModelTables } from "./model-tables.ts";

/** Models name their asset by `aml://asset/ID`; a deleted model's is named by nobody. */
export const unnamedAssets: NamedRows = {
  table: "asset",
  async candidates(on, before) {
    const rows = await (on as Kysely<ModelTables>)
      .selectFrom("asset")
      .select("id")
      .where("created_at", "<", before.toISOString())
      .execute();
    return rows.map(({ id }) => id);
  },
  async remove(on, ids) {
    for (const id of ids) await (on as Kysely<ModelTables>).deleteFrom("asset").where("id", "=", id).execute();
  },
};
