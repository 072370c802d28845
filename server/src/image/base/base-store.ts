import type { Kysely } from "kysely";
import type { Clock } from "../../platform/clock.ts";
import type { ResolvedBase } from "./base-image.ts";
import type { LayerPythons } from "./base-python.ts";
import type { BaseTables } from "./base-tables.ts";

/** What the manifests say of a base; what its layers say is kept with them. */
export type StoredBase = Omit<ResolvedBase, "pythonPath" | "links">;

export interface BaseKey {
  /** empty when anybody can have the base */
  readonly scope: string;
  readonly reference: string;
  readonly architecture: string;
}

export type BaseStore = ReturnType<typeof createBaseStore>;

export function createBaseStore<Tables extends BaseTables>(database: Kysely<Tables>, clock: Clock) {
  const db = database as unknown as Kysely<BaseTables>;
  return {
    async find({ scope, reference, architecture }: BaseKey): Promise<StoredBase | undefined> {
      const row = await db
        .selectFrom("image_base")
        .select("content")
        .where("scope", "=", scope)
        .where("reference", "=", reference)
        .where("architecture", "=", architecture)
        .executeTakeFirst();
      return row && (JSON.parse(row.content) as StoredBase);
    },

    async remember(key: BaseKey, base: StoredBase): Promise<void> {
      const values = {
        digest: base.digest,
        content: JSON.stringify(base),
        resolved_at: clock.now().toISOString(),
      };
      await db
        .insertInto("image_base")
        .values({ ...key, ...values })
        .onConflict((oc) => oc.columns(["scope", "reference", "architecture"]).doUpdateSet(values))
        .execute();
    },

    async findPythons(digest: string): Promise<LayerPythons | undefined> {
      const row = await db
        .selectFrom("image_base_layer")
        .select("pythons")
        .where("digest", "=", digest)
        .executeTakeFirst();
      return row && (JSON.parse(row.pythons) as LayerPythons);
    },

    async rememberPythons(digest: string, pythons: LayerPythons): Promise<void> {
      const values = { pythons: JSON.stringify(pythons) };
      await db
        .insertInto("image_base_layer")
        .values({ digest, ...values })
        .onConflict((oc) => oc.column("digest").doUpdateSet(values))
        .execute();
    },

    /** Digests of all layers of all kept bases: garbage collection leaves them alone. */
    async layersInUse(): Promise<string[]> {
      const rows = await db.selectFrom("image_base").select("content").execute();
      const bases = rows.map((row) => JSON.parse(row.content) as StoredBase);
      return [...new Set(bases.flatMap((base) => base.layers.map((layer) => layer.digest)))];
    },
  };
}
