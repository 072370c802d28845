import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { migrations, type Tables } from "../migrations.ts";
import { createOperationStore } from "../operation/index.ts";
import { openFileBlobStore } from "../platform/blob-store/file-blob-store.ts";
import { migrateToLatest } from "../platform/database/migrate.ts";
import { openSqlite } from "../platform/database/sqlite.ts";
import { AppError } from "../platform/errors.ts";
import { type ExclusiveLock, tryLock } from "../platform/exclusive-lock.ts";
import { createSecretBox, createSecretStore, loadKeyFile } from "../secret/index.ts";
import { createWorkspaceService } from "../workspace/index.ts";
import type { Installation } from "./installation.ts";

/** A predecessor that is just ending lets go within seconds. */
const LOCK_PATIENCE_MS = 10_000;

export type Data = Awaited<ReturnType<typeof openData>>;

/**
 * What is kept: database, blobs, secrets, and the two things that all rooms hang theirs on, workspaces and operations.
 *
 * @throws {AppError} DataFolderInUse; newer data; damaged key
 */
export async function openData({ layout, clock }: Installation) {
  await mkdir(layout.state, { recursive: true, mode: 0o700 });
  const lock = await lockDataFolder(layout.lock);
  const database = openSqlite<Tables>(layout.database);
  await migrateToLatest(database, migrations);
  const secretBox = createSecretBox(await loadKeyFile(layout.keyFile));
  const workspaces = createWorkspaceService(database, clock);
  return {
    database,
    blobs: await openFileBlobStore(layout.blobs),
    secretBox,
    secrets: createSecretStore(database, secretBox, clock),
    workspaces,
    defaultWorkspace: await workspaces.ensureDefault(),
    operations: createOperationStore(database, clock),
    async close(): Promise<void> {
      await database.destroy();
      lock.release();
    },
  };
}

async function lockDataFolder(file: string): Promise<ExclusiveLock> {
  const deadline = performance.now() + LOCK_PATIENCE_MS;
  for (;;) {
    const lock = tryLock(file);
    if (lock !== undefined) return lock;
    if (performance.now() > deadline) {
      throw new AppError({
        code: "DataFolderInUse",
        kind: "conflict",
        message: `Another control plane uses ${dirname(dirname(file))}. Stop it, or name another folder with --data.`,
      });
    }
    await delay(100);
  }
}
