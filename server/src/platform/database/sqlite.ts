import { DatabaseSync, type StatementSync } from "node:sqlite";
import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  Kysely,
  SqliteAdapter,
  type SqliteDatabase,
  SqliteDialect,
  SqliteDriver,
} from "kysely";

/** One process opens the database; a longer wait would only freeze its event loop (the driver is synchronous). */
const BUSY_TIMEOUT_MS = 5_000;

/**
 * Opens SQLite under Kysely. WAL with `synchronous=FULL`: an acknowledged write survives a power cut, and our writes
 * are few (see ADR 0004).
 *
 * @param file path, or `:memory:` for tests
 */
export function openSqlite<Tables>(file: string): Kysely<Tables> {
  const database = new DatabaseSync(file);
  database.exec(
    `PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA busy_timeout=${BUSY_TIMEOUT_MS};`,
  );
  return new Kysely<Tables>({ dialect: nodeSqliteDialect(adapt(database)) });
}

/** node:sqlite in the shape that Kysely's SqliteDialect asks for, with a statement cache (spikes: 2–4 × faster). */
function adapt(database: DatabaseSync): SqliteDatabase {
  const cache = new Map<string, StatementSync>();
  return {
    close: () => database.close(),
    prepare(sql) {
      let statement = cache.get(sql);
      if (statement === undefined) {
        statement = database.prepare(sql);
        cache.set(sql, statement);
      }
      const prepared = statement;
      return {
        reader: prepared.columns().length > 0,
        all: (parameters: readonly unknown[]) => prepared.all(...(parameters as SqlValues)),
        run: (parameters: readonly unknown[]) => prepared.run(...(parameters as SqlValues)),
        iterate: (parameters: readonly unknown[]) =>
          // Its own statement: a cached one may not be shared between an open iteration and another call.
          database.prepare(sql).iterate(...(parameters as SqlValues)) as IterableIterator<unknown>,
      };
    },
  };
}

type SqlValues = (string | number | bigint | null | Uint8Array)[];

/**
 * Two differences from Kysely's own dialect. Transactions begin IMMEDIATE: a deferred one that reads and then writes fails
 * with BUSY_SNAPSHOT, which no timeout retries. And DDL is transactional, so a migration that throws leaves nothing behind.
 */
function nodeSqliteDialect(database: SqliteDatabase): Dialect {
  const config = { database };
  const stock = new SqliteDialect(config);
  return {
    createDriver: () => new ImmediateDriver(config),
    createAdapter: () => new TransactionalDdlAdapter(),
    createQueryCompiler: () => stock.createQueryCompiler(),
    createIntrospector: (kysely) => stock.createIntrospector(kysely),
  };
}

class ImmediateDriver extends SqliteDriver {
  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw("begin immediate"));
  }
}

class TransactionalDdlAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}
