import { type Kysely, sql } from "kysely";

/**
 * Every text of the database that has `part` in it, whichever table and column it stands in: for who must know whether anything
 * names a thing, tables of tomorrow included.
 *
 * @param options.except tables that are left out
 */
export async function* textCells<Tables>(
  database: Kysely<Tables>,
  part: string,
  options: { readonly except: readonly string[] },
): AsyncGenerator<string> {
  const tables = await database.introspection.getTables();
  for (const table of tables) {
    if (table.isView || options.except.includes(table.name)) continue;
    for (const column of table.columns) {
      if (column.dataType.toLowerCase() !== "text") continue;
      const { rows } = await sql<{ cell: string }>`
        select ${sql.ref(column.name)} as cell from ${sql.table(table.name)}
        where instr(${sql.ref(column.name)}, ${part}) > 0`.execute(database);
      for (const { cell } of rows) yield cell;
    }
  }
}
