import { type Kysely, type Migration, Migrator } from "kysely";
import { AppError } from "../errors.ts";

/**
 * Brings the database to the newest form, all or nothing. Migrations are never edited after they were merged.
 *
 * @throws {AppError} DataNewerThanProgram when the data folder was written by a newer Slipway
 */
export async function migrateToLatest<Tables>(
  database: Kysely<Tables>,
  migrations: Readonly<Record<string, Migration>>,
): Promise<void> {
  const migrator = new Migrator({ db: database, provider: { getMigrations: async () => ({ ...migrations }) } });
  const applied = (await appliedNames(database)).filter((name) => !(name in migrations));
  if (applied.length > 0) {
    throw new AppError({
      code: "DataNewerThanProgram",
      kind: "conflict",
      message: `The data folder was written by a newer Slipway (it has ${applied.join(", ")}). Start that version, or name another folder with --data.`,
    });
  }
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
}

async function appliedNames<Tables>(database: Kysely<Tables>): Promise<string[]> {
  const tables = await database.introspection.getTables({ withInternalKyselyTables: true });
  if (!tables.some((table) => table.name === "kysely_migration")) return [];
  const untyped = database as unknown as Kysely<{ kysely_migration: { name: string } }>;
  const rows = await untyped.selectFrom("kysely_migration").select("name").execute();
  return rows.map((row) => row.name);
}
