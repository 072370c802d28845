import { randomBytes } from "node:crypto";
import { mkdtemp, rm, stat, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { manualClock } from "../platform/clock.ts";
import { migrateToLatest } from "../platform/database/migrate.ts";
import { openSqlite } from "../platform/database/sqlite.ts";
import { createSecretBox, createSecretStore, loadKeyFile, type SecretTables, secretMigration } from "./index.ts";

test("what is sealed opens again, and never looks the same twice", () => {
  const box = createSecretBox(randomBytes(32));
  expect(box.open(box.seal("grüße|"))).toBe("grüße|");
  expect(box.seal("a")).not.toBe(box.seal("a"));
});

test("another key, a changed byte or a foreign text is refused with the next action", () => {
  const box = createSecretBox(randomBytes(32));
  const sealed = box.seal("secret");
  expect(() => createSecretBox(randomBytes(32)).open(sealed)).toThrow(/key file is not the one/);
  expect(() => box.open(`${sealed.slice(0, -2)}AA`)).toThrow(/cannot be read/);
  expect(() => box.open("plain")).toThrow(/cannot be read/);
});

test("the key file is made once, readable by its owner only; a damaged one is named", async () => {
  const folder = await mkdtemp(join(tmpdir(), "slipway-secret-"));
  try {
    const file = join(folder, "key");
    const first = await loadKeyFile(file);
    expect(await loadKeyFile(file)).toEqual(first);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    await truncate(file, 5);
    await expect(loadKeyFile(file)).rejects.toThrow(/has 5 bytes/);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("a named secret is made once and stored sealed", async () => {
  const database = openSqlite<SecretTables>(":memory:");
  await migrateToLatest(database, { "0001-secret": secretMigration });
  const store = createSecretStore(database, createSecretBox(randomBytes(32)), manualClock());
  const values = await Promise.all([store.getOrCreate("a", () => "one"), store.getOrCreate("a", () => "two")]);
  expect(new Set(values).size).toBe(1);
  const row = await database.selectFrom("secret").selectAll().executeTakeFirstOrThrow();
  expect(row.sealed).not.toContain(values[0]);
  await database.destroy();
});
