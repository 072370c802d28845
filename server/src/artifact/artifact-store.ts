import type { ExpressionBuilder, Kysely } from "kysely";
import type { Clock } from "../platform/clock.ts";
import { newHexId } from "../platform/ids.ts";
import type { ArtifactContent, ReservedArtifact } from "./artifact.ts";
import { type ArtifactPlace, artifactId } from "./artifact-path.ts";
import type { ArtifactTables } from "./artifact-tables.ts";

export type ArtifactStore = ReturnType<typeof createArtifactStore>;

/** All SQL of artifacts. */
export function createArtifactStore<Tables extends ArtifactTables>(database: Kysely<Tables>, clock: Clock) {
  const db = database as unknown as Kysely<ArtifactTables>;
  const now = () => clock.now().toISOString();

  return {
    /** In the order of `paths`. Reserving a name again gives the same artifact, uploaded or not. */
    async reserve(
      workspaceId: string,
      origin: string,
      container: string,
      paths: readonly string[],
    ): Promise<ReservedArtifact[]> {
      if (paths.length === 0) return [];
      await db
        .insertInto("artifact")
        .values(
          paths.map((path) => ({
            workspace_id: workspaceId,
            origin,
            container,
            path,
            upload_id: newHexId(),
            created_at: now(),
            digest: null,
            size_bytes: null,
            stored_at: null,
          })),
        )
        .onConflict((conflict) => conflict.doNothing())
        .execute();
      const rows = await db
        .selectFrom("artifact")
        .selectAll()
        .where("workspace_id", "=", workspaceId)
        .where("origin", "=", origin)
        .where("container", "=", container)
        .where("path", "in", paths)
        .execute();
      const byPath = new Map(rows.map((row) => [row.path, toArtifact(row)]));
      return paths.flatMap((path) => byPath.get(path) ?? []);
    },

    async findUpload(uploadId: string): Promise<ReservedArtifact | undefined> {
      const row = await db.selectFrom("artifact").selectAll().where("upload_id", "=", uploadId).executeTakeFirst();
      return row && toArtifact(row);
    },

    /** The first writer wins. @returns whether it was this one */
    async complete(uploadId: string, content: Omit<ArtifactContent, "storedAt">): Promise<boolean> {
      const result = await db
        .updateTable("artifact")
        .set({ digest: content.digest, size_bytes: content.sizeBytes, stored_at: now() })
        .where("upload_id", "=", uploadId)
        .where("digest", "is", null)
        .executeTakeFirst();
      return result.numUpdatedRows === 1n;
    },

    /** What this workspace already holds; other workspaces' files never count, so that nobody can probe for them. */
    async findContent(workspaceId: string, digest: string): Promise<ArtifactContent | undefined> {
      const row = await db
        .selectFrom("artifact")
        .selectAll()
        .where("workspace_id", "=", workspaceId)
        .where("digest", "=", digest)
        .limit(1)
        .executeTakeFirst();
      return row === undefined ? undefined : (toArtifact(row).content ?? undefined);
    },

    /** Of the workspace's contents of this size, the newest first. */
    async digestsOfSize(workspaceId: string, sizeBytes: number, limit: number): Promise<string[]> {
      const rows = await db
        .selectFrom("artifact")
        .select("digest")
        .where("workspace_id", "=", workspaceId)
        .where("size_bytes", "=", sizeBytes)
        .groupBy("digest")
        .orderBy(({ fn }) => fn.max("stored_at"), "desc")
        .limit(limit)
        .execute();
      return rows.flatMap(({ digest }) => digest ?? []);
    },

    /** At the place or below it, sorted by path, beginning after `afterPath`. */
    async list(
      workspaceId: string,
      place: ArtifactPlace,
      page: { readonly afterPath?: string | undefined; readonly limit?: number; readonly uploadedOnly?: boolean } = {},
    ): Promise<ReservedArtifact[]> {
      let query = db
        .selectFrom("artifact")
        .selectAll()
        .where("workspace_id", "=", workspaceId)
        .where("origin", "=", place.origin)
        .where("container", "=", place.container)
        .where((where) => atOrBelow(where, place.path))
        .orderBy("path");
      if (page.afterPath !== undefined) query = query.where("path", ">", page.afterPath);
      if (page.uploadedOnly) query = query.where("digest", "is not", null);
      if (page.limit !== undefined) query = query.limit(page.limit);
      return (await query.execute()).map(toArtifact);
    },
  };
}

function atOrBelow(where: ExpressionBuilder<ArtifactTables, "artifact">, path: string) {
  if (path === "") return where("path", ">", "");
  // "0" is the character after "/": a range that the primary key can answer, unlike LIKE, whose wildcards occur in names.
  return where.or([
    where("path", "=", path),
    where.and([where("path", ">", `${path}/`), where("path", "<", `${path}0`)]),
  ]);
}

function toArtifact(row: ArtifactTables["artifact"]): ReservedArtifact {
  const { origin, container, path, digest, size_bytes: sizeBytes, stored_at: storedAt } = row;
  return {
    workspaceId: row.workspace_id,
    id: artifactId({ origin, container, path }),
    origin,
    container,
    path,
    uploadId: row.upload_id,
    createdAt: row.created_at,
    content: digest === null || sizeBytes === null || storedAt === null ? null : { digest, sizeBytes, storedAt },
  };
}
