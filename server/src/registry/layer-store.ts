import type { Kysely } from "kysely";
import type { Clock } from "../platform/clock.ts";
import type { Layer, LayerSource } from "./registry.ts";
import type { RegistryTables } from "./registry-tables.ts";

/** Writing down each use would cost a sync each; the garbage collection's grace period is much longer. */
const USE_STEP_MS = 10 * 60_000;

export type LayerStore = ReturnType<typeof createLayerStore>;

/** All SQL of layers. */
export function createLayerStore(db: Kysely<RegistryTables>, clock: Clock) {
  const now = () => clock.now().toISOString();

  return {
    /** The newest source counts: the bytes are the same, but an older place may be gone. */
    async put(layer: Layer): Promise<void> {
      const source = JSON.stringify(layer.source);
      await db
        .insertInto("registry_layer")
        .values({
          digest: layer.digest,
          diff_id: layer.diffId,
          media_type: layer.mediaType,
          size_bytes: layer.sizeBytes,
          source,
          used_at: now(),
        })
        .onConflict((oc) => oc.column("digest").doUpdateSet({ source, used_at: now() }))
        .execute();
    },

    async find(digest: string): Promise<Layer | undefined> {
      const row = await db.selectFrom("registry_layer").selectAll().where("digest", "=", digest).executeTakeFirst();
      return (
        row && {
          digest: row.digest,
          diffId: row.diff_id,
          mediaType: row.media_type,
          sizeBytes: row.size_bytes,
          source: JSON.parse(row.source) as LayerSource,
        }
      );
    },

    /** @returns whether it is there */
    async use(digest: string): Promise<boolean> {
      const longAgo = new Date(clock.now().getTime() - USE_STEP_MS).toISOString();
      const row = await db
        .selectFrom("registry_layer")
        .select("used_at")
        .where("digest", "=", digest)
        .executeTakeFirst();
      if (row === undefined) return false;
      if (row.used_at >= longAgo) return true;
      const result = await db
        .updateTable("registry_layer")
        .set({ used_at: now() })
        .where("digest", "=", digest)
        .executeTakeFirst();
      return result.numUpdatedRows === 1n;
    },
  };
}
