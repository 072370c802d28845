import type { Kysely } from "kysely";
import type { Clock } from "../platform/clock.ts";
import { newHexId } from "../platform/ids.ts";
import type { Asset, AssetPart } from "./model.ts";
import type { ModelTables } from "./model-tables.ts";

export type AssetStore = ReturnType<typeof createAssetStore>;

/** All SQL of assets. */
export function createAssetStore<Tables extends ModelTables>(database: Kysely<Tables>, clock: Clock) {
  const db = database as unknown as Kysely<ModelTables>;

  return {
    /** The same request key again gives the asset that was made then. */
    async insert(
      workspaceId: string,
      name: string,
      artifacts: readonly AssetPart[],
      requestKey: string | null,
    ): Promise<Asset> {
      return db.transaction().execute(async (tx) => {
        if (requestKey !== null) {
          const repeated = await tx
            .selectFrom("asset")
            .selectAll()
            .where("workspace_id", "=", workspaceId)
            .where("request_key", "=", requestKey)
            .executeTakeFirst();
          if (repeated !== undefined) return toAsset(repeated);
        }
        const row = {
          id: newHexId(),
          workspace_id: workspaceId,
          name,
          artifacts: JSON.stringify(artifacts),
          created_at: clock.now().toISOString(),
          request_key: requestKey,
        };
        await tx.insertInto("asset").values(row).execute();
        return toAsset(row);
      });
    },

    async find(workspaceId: string, id: string): Promise<Asset | undefined> {
      const row = await db
        .selectFrom("asset")
        .selectAll()
        .where("workspace_id", "=", workspaceId)
        .where("id", "=", id)
        .executeTakeFirst();
      return row && toAsset(row);
    },
  };
}

function toAsset(row: ModelTables["asset"]): Asset {
  return {
    id: row.id,
    workspaceId: row.workspace_id,
    name: row.name,
    artifacts: JSON.parse(row.artifacts),
    createdAt: row.created_at,
  };
}
