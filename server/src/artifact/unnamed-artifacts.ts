import type { Kysely } from "kysely";
import type { NamedRows } from "../platform/database/unnamed-rows.ts";
import type { ArtifactTables } from "./artifact-tables.ts";

/** Others name artifacts by `ORIGIN/CONTAINER[/PATH]`, a container or part of it; so containers stay or go as a whole. */
export const unnamedArtifacts: NamedRows = {
  table: "artifact",
  async candidates(on, before) {
    const rows = await (on as Kysely<ArtifactTables>)
      .selectFrom("artifact")
      .select("container")
      .groupBy("container")
      .having((having) => having.fn.max("created_at"), "<", before.toISOString())
      .execute();
    return rows.map(({ container }) => container);
  },
  async remove(on, containers) {
    for (const container of containers) {
      await (on as Kysely<ArtifactTables>).deleteFrom("artifact").where("container", "=", container).execute();
    }
  },
};
