import type { Kysely } from "kysely";
import type { Clock } from "../platform/clock.ts";
import { withoutSync } from "../platform/database/without-sync.ts";
import type { Repository } from "./registry.ts";
import type { RegistryTables } from "./registry-tables.ts";

/** Writing down each use would cost a sync each; the garbage collection's grace period is much longer. */
const USE_STEP_MS = 10 * 60_000;

/** A blob that a client uploaded to a repository, or mounted into it. */
export interface RepositoryBlob {
  /** as the client named it */
  readonly digest: string;
  /** the stored bytes, by SHA-256 */
  readonly blob: string;
  readonly sizeBytes: number;
}

export type RepositoryBlobStore = ReturnType<typeof createRepositoryBlobStore>;

/** All SQL of the blobs that clients pushed. */
export function createRepositoryBlobStore(db: Kysely<RegistryTables>, clock: Clock) {
  const now = () => clock.now().toISOString();
  const keyOf = ({ workspaceId, name }: Repository, digest: string) => ({
    workspace_id: workspaceId,
    repository: name,
    digest,
  });

  return {
    /** Not synced: a manifest that names the blob is, and with it this. Without one the client pushes the blob again. */
    async add(repository: Repository, { digest, blob, sizeBytes }: RepositoryBlob): Promise<void> {
      await withoutSync(db, (connection) =>
        connection
          .insertInto("registry_blob")
          .values({ ...keyOf(repository, digest), blob, size_bytes: sizeBytes, used_at: now() })
          .onConflict((oc) => oc.columns(["workspace_id", "digest", "repository"]).doUpdateSet({ used_at: now() }))
          .execute(),
      );
    },

    /** A client that looks for a blob will leave it out of its push: from now on it counts as used. */
    async find(repository: Repository, digest: string): Promise<RepositoryBlob | undefined> {
      const row = await db
        .selectFrom("registry_blob")
        .selectAll()
        .where(({ and }) => and(keyOf(repository, digest)))
        .executeTakeFirst();
      if (row === undefined) return undefined;
      if (row.used_at < new Date(clock.now().getTime() - USE_STEP_MS).toISOString()) {
        await withoutSync(db, (connection) =>
          connection
            .updateTable("registry_blob")
            .set({ used_at: now() })
            .where(({ and }) => and(keyOf(repository, digest)))
            .execute(),
        );
      }
      return { digest: row.digest, blob: row.blob, sizeBytes: row.size_bytes };
    },

    /** In whatever repository of the workspace. */
    async findAnywhere(workspaceId: string, digest: string): Promise<RepositoryBlob | undefined> {
      const row = await db
        .selectFrom("registry_blob")
        .selectAll()
        .where("workspace_id", "=", workspaceId)
        .where("digest", "=", digest)
        .limit(1)
        .executeTakeFirst();
      return row && { digest: row.digest, blob: row.blob, sizeBytes: row.size_bytes };
    },

    /** @returns whether it was there */
    async remove(repository: Repository, digest: string): Promise<boolean> {
      const result = await db
        .deleteFrom("registry_blob")
        .where(({ and }) => and(keyOf(repository, digest)))
        .executeTakeFirst();
      return result.numDeletedRows > 0n;
    },

    /** What a workspace's clients have pushed; bytes that several repositories share count once. */
    async usedBytes(workspaceId: string): Promise<number> {
      const distinct = db
        .selectFrom("registry_blob")
        .select(["blob", "size_bytes"])
        .where("workspace_id", "=", workspaceId)
        .distinct();
      const row = await db
        .selectFrom(distinct.as("blobs"))
        .select((eb) => eb.fn.coalesce(eb.fn.sum<number>("size_bytes"), eb.lit(0)).as("bytes"))
        .executeTakeFirstOrThrow();
      return Number(row.bytes);
    },
  };
}
