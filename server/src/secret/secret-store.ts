import type { Kysely } from "kysely";
import type { Clock } from "../platform/clock.ts";
import type { SecretBox } from "./secret-box.ts";
import type { SecretTables } from "./secret-tables.ts";

export interface SecretStore {
  /** The stored secret of this name; made and stored the first time. */
  getOrCreate(name: string, make: () => string | Promise<string>): Promise<string>;
  /** Puts another secret in its place. */
  replace(name: string, value: string): Promise<void>;
}

export function createSecretStore<Tables extends SecretTables>(
  database: Kysely<Tables>,
  box: SecretBox,
  clock: Clock,
): SecretStore {
  const db = database as unknown as Kysely<SecretTables>;
  const find = async (name: string) => {
    const row = await db.selectFrom("secret").select("sealed").where("name", "=", name).executeTakeFirst();
    return row && box.open(row.sealed);
  };
  return {
    async getOrCreate(name, make) {
      const stored = await find(name);
      if (stored !== undefined) return stored;
      const value = await make();
      await db
        .insertInto("secret")
        .values({ name, sealed: box.seal(value), created_at: clock.now().toISOString() })
        .onConflict((oc) => oc.column("name").doNothing())
        .execute();
      // Whoever wrote first decides.
      return (await find(name)) ?? value;
    },
    async replace(name, value) {
      const row = { sealed: box.seal(value), created_at: clock.now().toISOString() };
      await db
        .insertInto("secret")
        .values({ name, ...row })
        .onConflict((oc) => oc.column("name").doUpdateSet(row))
        .execute();
    },
  };
}
