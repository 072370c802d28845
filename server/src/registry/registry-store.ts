import type { Kysely } from "kysely";
import type { Clock } from "../platform/clock.ts";
import type { Descriptor, Layer, LayerSource, Repository } from "./registry.ts";
import type { RegistryTables } from "./registry-tables.ts";

export type RegistryStore = ReturnType<typeof createRegistryStore>;

export function createRegistryStore<Tables extends RegistryTables>(database: Kysely<Tables>, clock: Clock) {
  const db = database as unknown as Kysely<RegistryTables>;
  const of = ({ workspaceId, name }: Repository) => ({ workspace_id: workspaceId, repository: name });

  return {
    /** The newest source counts: the bytes are the same, but an older place may be gone. */
    async putLayer(layer: Layer): Promise<void> {
      const source = JSON.stringify(layer.source);
      await db
        .insertInto("registry_layer")
        .values({
          digest: layer.digest,
          diff_id: layer.diffId,
          media_type: layer.mediaType,
          size_bytes: layer.sizeBytes,
          source,
        })
        .onConflict((oc) => oc.column("digest").doUpdateSet({ source }))
        .execute();
    },

    async findLayer(digest: string): Promise<Layer | undefined> {
      const row = await db.selectFrom("registry_layer").selectAll().where("digest", "=", digest).executeTakeFirst();
      return (
        row && {
          digest: row.digest,
          diffId: row.diff_id,
          mediaType: row.media_type,
          sizeBytes: row.size_bytes,
          source: JSON.parse(row.source) as LayerSource,
        }
      );
    },

    /** Manifest, what it names and its tag appear together. */
    async putManifest(
      repository: Repository,
      tag: string,
      manifest: Descriptor,
      contents: readonly string[],
    ): Promise<void> {
      await db.transaction().execute(async (transaction) => {
        await transaction
          .insertInto("registry_manifest")
          .values({
            ...of(repository),
            digest: manifest.digest,
            media_type: manifest.mediaType,
            size_bytes: manifest.size,
          })
          .onConflict((oc) => oc.doNothing())
          .execute();
        await transaction
          .insertInto("registry_content")
          .values([...new Set(contents)].map((digest) => ({ ...of(repository), manifest: manifest.digest, digest })))
          .onConflict((oc) => oc.doNothing())
          .execute();
        const tagged = { digest: manifest.digest, updated_at: clock.now().toISOString() };
        await transaction
          .insertInto("registry_tag")
          .values({ ...of(repository), tag, ...tagged })
          .onConflict((oc) => oc.columns(["workspace_id", "repository", "tag"]).doUpdateSet(tagged))
          .execute();
      });
    },

    async findTag(repository: Repository, tag: string): Promise<string | undefined> {
      const row = await db
        .selectFrom("registry_tag")
        .select("digest")
        .where("workspace_id", "=", repository.workspaceId)
        .where("repository", "=", repository.name)
        .where("tag", "=", tag)
        .executeTakeFirst();
      return row?.digest;
    },

    async findManifest(repository: Repository, digest: string): Promise<Descriptor | undefined> {
      const row = await db
        .selectFrom("registry_manifest")
        .selectAll()
        .where("workspace_id", "=", repository.workspaceId)
        .where("repository", "=", repository.name)
        .where("digest", "=", digest)
        .executeTakeFirst();
      return row && { mediaType: row.media_type, digest: row.digest, size: row.size_bytes };
    },

    async hasContent(repository: Repository, digest: string): Promise<boolean> {
      const row = await db
        .selectFrom("registry_content")
        .select("digest")
        .where("workspace_id", "=", repository.workspaceId)
        .where("repository", "=", repository.name)
        .where("digest", "=", digest)
        .limit(1)
        .executeTakeFirst();
      return row !== undefined;
    },

    /** In byte order, as the specification wants them. */
    async tags(repository: Repository): Promise<string[]> {
      const rows = await db
        .selectFrom("registry_tag")
        .select("tag")
        .where("workspace_id", "=", repository.workspaceId)
        .where("repository", "=", repository.name)
        .orderBy("tag")
        .execute();
      return rows.map((row) => row.tag);
    },

    /** Forgets a tag, and its manifest when no other tag has it. The bytes stay: other images may share them. */
    async removeTag(repository: Repository, tag: string): Promise<void> {
      await db.transaction().execute(async (transaction) => {
        const removed = await transaction
          .deleteFrom("registry_tag")
          .where("workspace_id", "=", repository.workspaceId)
          .where("repository", "=", repository.name)
          .where("tag", "=", tag)
          .returning("digest")
          .executeTakeFirst();
        if (removed === undefined) return;
        const other = await transaction
          .selectFrom("registry_tag")
          .select("tag")
          .where("workspace_id", "=", repository.workspaceId)
          .where("repository", "=", repository.name)
          .where("digest", "=", removed.digest)
          .executeTakeFirst();
        if (other !== undefined) return;
        await transaction
          .deleteFrom("registry_manifest")
          .where("workspace_id", "=", repository.workspaceId)
          .where("repository", "=", repository.name)
          .where("digest", "=", removed.digest)
          .execute();
        await transaction
          .deleteFrom("registry_content")
          .where("workspace_id", "=", repository.workspaceId)
          .where("repository", "=", repository.name)
          .where("manifest", "=", removed.digest)
          .execute();
      });
    },
  };
}
