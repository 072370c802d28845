import type { Kysely } from "kysely";
import type { BaseContents } from "../base/base-contents.ts";
import type { EnvironmentContents } from "./environment-contents.ts";
import type { EnvironmentContentsTables } from "./environment-contents-tables.ts";

/** What large things consist of, by what they are: once read, it never changes. */
export function createEnvironmentContentsStore<Tables extends EnvironmentContentsTables>(database: Kysely<Tables>) {
  const db = database as unknown as Kysely<EnvironmentContentsTables>;

  async function find(id: string): Promise<unknown> {
    const row = await db
      .selectFrom("image_environment")
      .select("contents")
      .where("environment_id", "=", id)
      .executeTakeFirst();
    return row && JSON.parse(row.contents);
  }

  async function remember(id: string, contents: EnvironmentContents | BaseContents): Promise<void> {
    const values = { contents: JSON.stringify(contents) };
    await db
      .insertInto("image_environment")
      .values({ environment_id: id, ...values })
      .onConflict((oc) => oc.column("environment_id").doUpdateSet(values))
      .execute();
  }

  return {
    findEnvironment: async (id: string) => (await find(id)) as EnvironmentContents | undefined,
    rememberEnvironment: remember,
    findBase: async (digest: string) => (await find(`base:${digest}`)) as BaseContents | undefined,
    rememberBase: (digest: string, contents: BaseContents) => remember(`base:${digest}`, contents),
  };
}
