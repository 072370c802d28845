import type { Kysely } from "kysely";
import type { EnvironmentContents } from "./environment-contents.ts";
import type { EnvironmentContentsTables } from "./environment-contents-tables.ts";

export type EnvironmentContentsStore = ReturnType<typeof createEnvironmentContentsStore>;

export function createEnvironmentContentsStore<Tables extends EnvironmentContentsTables>(database: Kysely<Tables>) {
  const db = database as unknown as Kysely<EnvironmentContentsTables>;
  return {
    async find(environmentId: string): Promise<EnvironmentContents | undefined> {
      const row = await db
        .selectFrom("image_environment")
        .select("contents")
        .where("environment_id", "=", environmentId)
        .executeTakeFirst();
      return row && (JSON.parse(row.contents) as EnvironmentContents);
    },

    async remember(environmentId: string, contents: EnvironmentContents): Promise<void> {
      const values = { contents: JSON.stringify(contents) };
      await db
        .insertInto("image_environment")
        .values({ environment_id: environmentId, ...values })
        .onConflict((oc) => oc.column("environment_id").doUpdateSet(values))
        .execute();
    },
  };
}
