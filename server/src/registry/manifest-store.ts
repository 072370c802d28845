import { type Kysely, sql, type Transaction } from "kysely";
import type { Clock } from "../platform/clock.ts";
import type { Descriptor, Repository } from "./registry.ts";
import type { RegistryTables } from "./registry-tables.ts";

/** A manifest with what the registry knows of it. */
export interface StoredManifest extends Descriptor {
  /** the stored bytes, by SHA-256 */
  readonly blob: string;
  readonly subject?: string | undefined;
}

export interface NewManifest extends StoredManifest {
  /** digests of the configuration and all layers */
  readonly blobs: readonly string[];
  /** digests of the manifests of an index */
  readonly manifests: readonly string[];
}

export type ManifestStore = ReturnType<typeof createManifestStore>;

/** All SQL of manifests and tags. */
export function createManifestStore(db: Kysely<RegistryTables>, clock: Clock) {
  const of = ({ workspaceId, name }: Repository) => ({ workspace_id: workspaceId, repository: name });

  async function forget(transaction: Transaction<RegistryTables>, repository: Repository, digest: string) {
    const result = await transaction
      .deleteFrom("registry_manifest")
      .where(({ and }) => and({ ...of(repository), digest }))
      .executeTakeFirst();
    await transaction
      .deleteFrom("registry_content")
      .where(({ and }) => and({ ...of(repository), manifest: digest }))
      .execute();
    return result.numDeletedRows > 0n;
  }

  async function names(on: Kysely<RegistryTables>, repository: Repository, blob: string): Promise<boolean> {
    const row = await on
      .selectFrom("registry_content")
      .select("digest")
      .where(({ and }) => and({ ...of(repository), digest: blob, kind: "blob" }))
      .limit(1)
      .executeTakeFirst();
    return row !== undefined;
  }

  async function firstMissing(
    transaction: Transaction<RegistryTables>,
    repository: Repository,
    contents: readonly { readonly digest: string; readonly kind: "blob" | "manifest" }[],
  ): Promise<string | undefined> {
    for (const { digest, kind } of contents) {
      const row = await transaction
        .selectFrom(kind === "blob" ? "registry_blob" : "registry_manifest")
        .select("digest")
        .where(({ and }) => and({ ...of(repository), digest }))
        .executeTakeFirst();
      if (row !== undefined) continue;
      if (kind === "manifest" || !(await names(transaction, repository, digest))) return digest;
    }
    return undefined;
  }

  return {
    /**
     * Manifest, what it names and its tags appear together.
     *
     * @param options.mustBeThere everything that it names must be in the repository; otherwise nothing is written
     * @returns the digest of what is missing
     */
    async put(
      repository: Repository,
      manifest: NewManifest,
      tags: readonly string[],
      options: { readonly mustBeThere?: boolean } = {},
    ): Promise<string | undefined> {
      const contents = [
        ...[...new Set(manifest.blobs)].map((digest) => ({ digest, kind: "blob" as const })),
        ...[...new Set(manifest.manifests)].map((digest) => ({ digest, kind: "manifest" as const })),
      ];
      return db.transaction().execute(async (transaction) => {
        const missing = options.mustBeThere ? await firstMissing(transaction, repository, contents) : undefined;
        if (missing !== undefined) return missing;
        await transaction
          .insertInto("registry_manifest")
          .values({
            ...of(repository),
            digest: manifest.digest,
            blob: manifest.blob,
            media_type: manifest.mediaType,
            size_bytes: manifest.size,
            subject: manifest.subject ?? null,
            artifact_type: manifest.artifactType ?? null,
            annotations: manifest.annotations === undefined ? null : JSON.stringify(manifest.annotations),
            unnamed_since: null,
          })
          .onConflict((oc) => oc.columns(["workspace_id", "repository", "digest"]).doUpdateSet({ unnamed_since: null }))
          .execute();
        // SQLite takes 32,766 values at once, five of each row.
        for (let at = 0; at < contents.length; at += 5_000) {
          await transaction
            .insertInto("registry_content")
            .values(
              contents
                .slice(at, at + 5_000)
                .map((content) => ({ ...of(repository), manifest: manifest.digest, ...content })),
            )
            .onConflict((oc) => oc.doNothing())
            .execute();
        }
        const tagged = { digest: manifest.digest, updated_at: clock.now().toISOString() };
        for (const tag of tags) {
          await transaction
            .insertInto("registry_tag")
            .values({ ...of(repository), tag, ...tagged })
            .onConflict((oc) => oc.columns(["workspace_id", "repository", "tag"]).doUpdateSet(tagged))
            .execute();
        }
        return undefined;
      });
    },

    async find(repository: Repository, digest: string): Promise<StoredManifest | undefined> {
      const row = await db
        .selectFrom("registry_manifest")
        .selectAll()
        .where(({ and }) => and({ ...of(repository), digest }))
        .executeTakeFirst();
      return row && toManifest(row);
    },

    /** The manifests about a subject, in the order of their digests. */
    async referrers(repository: Repository, subject: string): Promise<StoredManifest[]> {
      const rows = await db
        .selectFrom("registry_manifest")
        .selectAll()
        .where(({ and }) => and({ ...of(repository), subject }))
        .orderBy("digest")
        .execute();
      return rows.map(toManifest);
    },

    /** Whether a manifest of the repository names this blob. */
    names: (repository: Repository, blob: string) => names(db, repository, blob),

    /** How many tagged manifests of a workspace name each of these blobs. */
    async countUsers(workspaceId: string, digests: readonly string[]): Promise<ReadonlyMap<string, number>> {
      const rows = await db
        .selectFrom("registry_content as c")
        .innerJoin("registry_tag as t", (join) =>
          join
            .onRef("t.workspace_id", "=", "c.workspace_id")
            .onRef("t.repository", "=", "c.repository")
            .onRef("t.digest", "=", "c.manifest"),
        )
        .where("c.workspace_id", "=", workspaceId)
        .where("c.digest", "in", digests)
        .groupBy("c.digest")
        .select(["c.digest", (eb) => eb.fn.countAll<number>().as("users")])
        .execute();
      return new Map(rows.map((row) => [row.digest, row.users]));
    },

    async findTag(repository: Repository, tag: string): Promise<string | undefined> {
      const row = await db
        .selectFrom("registry_tag")
        .select("digest")
        .where(({ and }) => and({ ...of(repository), tag }))
        .executeTakeFirst();
      return row?.digest;
    },

    async tagsOf(repository: Repository, digest: string): Promise<string[]> {
      const rows = await db
        .selectFrom("registry_tag")
        .select("tag")
        .where(({ and }) => and({ ...of(repository), digest }))
        .execute();
      return rows.map((row) => row.tag);
    },

    /**
     * In the order that the distribution specification wants: by letters, whatever their case.
     *
     * @returns undefined when nothing was ever pushed to the repository
     */
    async tags(
      repository: Repository,
      page: { readonly after?: string | undefined; readonly limit?: number | undefined } = {},
    ): Promise<string[] | undefined> {
      let query = db
        .selectFrom("registry_tag")
        .select("tag")
        .where(({ and }) => and(of(repository)))
        .orderBy(sql`lower(tag)`)
        .orderBy("tag");
      const { after, limit } = page;
      if (after !== undefined) query = query.where(sql<boolean>`(lower(tag), tag) > (lower(${after}), ${after})`);
      if (limit !== undefined) query = query.limit(limit);
      const rows = await query.execute();
      if (rows.length > 0) return rows.map((row) => row.tag);
      const any = await db
        .selectFrom("registry_manifest")
        .select("digest")
        .where(({ and }) => and(of(repository)))
        .limit(1)
        .executeTakeFirst();
      return any === undefined ? undefined : [];
    },

    /** The names of a workspace's repositories that hold a manifest. */
    async repositories(workspaceId: string): Promise<string[]> {
      const rows = await db
        .selectFrom("registry_manifest")
        .select("repository")
        .where("workspace_id", "=", workspaceId)
        .distinct()
        .orderBy("repository")
        .execute();
      return rows.map((row) => row.repository);
    },

    /** Forgets a manifest and the tags that name it. @returns whether it was there */
    async remove(repository: Repository, digest: string): Promise<boolean> {
      return db.transaction().execute(async (transaction) => {
        await transaction
          .deleteFrom("registry_tag")
          .where(({ and }) => and({ ...of(repository), digest }))
          .execute();
        return forget(transaction, repository, digest);
      });
    },

    /** Forgets a tag only. @returns whether it was there */
    async untag(repository: Repository, tag: string): Promise<boolean> {
      const result = await db
        .deleteFrom("registry_tag")
        .where(({ and }) => and({ ...of(repository), tag }))
        .executeTakeFirst();
      return result.numDeletedRows > 0n;
    },

    /** Forgets a tag, and its manifest when nothing else names it. The bytes stay: other images may share them. */
    async removeTag(repository: Repository, tag: string): Promise<void> {
      await db.transaction().execute(async (transaction) => {
        const removed = await transaction
          .deleteFrom("registry_tag")
          .where(({ and }) => and({ ...of(repository), tag }))
          .returning("digest")
          .executeTakeFirst();
        if (removed === undefined) return;
        const other = await transaction
          .selectFrom("registry_tag")
          .select("tag")
          .where(({ and }) => and({ ...of(repository), digest: removed.digest }))
          .executeTakeFirst();
        const index = await transaction
          .selectFrom("registry_content")
          .select("manifest")
          .where(({ and }) => and({ ...of(repository), digest: removed.digest, kind: "manifest" }))
          .executeTakeFirst();
        if (other === undefined && index === undefined) await forget(transaction, repository, removed.digest);
      });
    },
  };
}

function toManifest(row: RegistryTables["registry_manifest"]): StoredManifest {
  return {
    mediaType: row.media_type,
    digest: row.digest,
    size: row.size_bytes,
    blob: row.blob,
    ...(row.subject === null ? {} : { subject: row.subject }),
    ...(row.artifact_type === null ? {} : { artifactType: row.artifact_type }),
    ...(row.annotations === null ? {} : { annotations: JSON.parse(row.annotations) as Record<string, string> }),
  };
}
