import { type Kysely, sql } from "kysely";

/**
 * Runs writes whose loss in a power cut does no harm, without waiting for the disk: a sync takes milliseconds in which the whole process
 * stands still. They survive the process, they are there whole or not at all, and the next ordinary commit makes them safe as well.
 */
export async function withoutSync<Tables, Result>(
  database: Kysely<Tables>,
  work: (connection: Kysely<Tables>) => Promise<Result>,
): Promise<Result> {
  return database.connection().execute(async (connection) => {
    await sql`pragma synchronous = normal`.execute(connection);
    try {
      return await work(connection);
    } finally {
      await sql`pragma synchronous = full`.execute(connection);
    }
  });
}
