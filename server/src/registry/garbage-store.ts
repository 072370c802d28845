import type { Kysely, Transaction } from "kysely";
import { textCells } from "../platform/database/text-cells.ts";
import { type NamedRows, removeUnnamed } from "../platform/database/unnamed-rows.ts";
import type { RegistryTables } from "./registry-tables.ts";

const DIGEST = /sha256:[0-9a-f]{64}/g;
const REGISTRY_TABLES = ["registry_layer", "registry_manifest", "registry_content", "registry_blob", "registry_tag"];

export interface GarbageStoreOptions {
  /**
   * Tables that remember digests without needing them: logs, and what is made again when it is missing. Every other table that holds a
   * digest keeps its blob.
   */
  readonly cacheTables: readonly string[];
  /** texts of the operations that have not ended */
  openOperationTexts(on: Kysely<RegistryTables>): Promise<readonly string[]>;
  /** what names blobs and must itself be named; those that name others come first */
  readonly namedRows: readonly NamedRows[];
}

export interface ForgetLimits {
  readonly now: Date;
  /** layers and blobs used since then stay */
  readonly usedBefore: Date;
  /** manifests that were found unnamed since then stay, and so do uploaded files and assets made since then */
  readonly unnamedBefore: Date;
}

export interface Forgotten {
  readonly manifests: number;
  readonly layers: number;
  /** blobs that were pushed to a repository, of which no manifest came to name them or does so any more */
  readonly pushedBlobs: number;
  /** uploaded files of models and code that are no more */
  readonly files: number;
}

export type GarbageStore = ReturnType<typeof createGarbageStore>;

/** All SQL of the garbage collection. */
export function createGarbageStore<Tables extends RegistryTables>(
  database: Kysely<Tables>,
  options: GarbageStoreOptions,
) {
  const db = database as unknown as Kysely<RegistryTables>;

  /** By other rooms and by work that is under way. */
  const namedElsewhere = (on: Kysely<RegistryTables>) => namedIn(on, [...REGISTRY_TABLES, ...options.cacheTables]);

  async function namedIn(on: Kysely<RegistryTables>, except: readonly string[]): Promise<Set<string>> {
    const named = new Set<string>();
    const add = (text: string) => {
      for (const [digest] of text.matchAll(DIGEST)) named.add(digest);
    };
    for await (const text of textCells(on, "sha256:", { except })) add(text);
    for (const text of await options.openOperationTexts(on)) add(text);
    return named;
  }

  async function forgetManifests(on: Transaction<RegistryTables>, limits: ForgetLimits): Promise<number> {
    const manifests = await on
      .selectFrom("registry_manifest")
      .select(["workspace_id", "repository", "digest", "subject", "unnamed_since"])
      .execute();
    const named = await namedManifests(on, manifests);
    const now = limits.now.toISOString();
    let forgotten = 0;
    for (const manifest of manifests) {
      const isNamed = named.has(keyOf(manifest));
      const since = isNamed ? null : (manifest.unnamed_since ?? now);
      const at = on
        .updateTable("registry_manifest")
        .set({ unnamed_since: since })
        .where("workspace_id", "=", manifest.workspace_id)
        .where("repository", "=", manifest.repository)
        .where("digest", "=", manifest.digest);
      if (since === null || since >= limits.unnamedBefore.toISOString()) {
        if (since !== manifest.unnamed_since) await at.execute();
        continue;
      }
      forgotten += 1;
      await on
        .deleteFrom("registry_content")
        .where("workspace_id", "=", manifest.workspace_id)
        .where("repository", "=", manifest.repository)
        .where("manifest", "=", manifest.digest)
        .execute();
      await on
        .deleteFrom("registry_manifest")
        .where("workspace_id", "=", manifest.workspace_id)
        .where("repository", "=", manifest.repository)
        .where("digest", "=", manifest.digest)
        .execute();
    }
    return forgotten;
  }

  /** Those with a tag, those that something else in the database names, and what these name or are the subject of. */
  async function namedManifests(on: Transaction<RegistryTables>, manifests: readonly ManifestKey[]) {
    const elsewhere = await namedElsewhere(on);
    const named = new Set(manifests.filter(({ digest }) => elsewhere.has(digest)).map(keyOf));
    for (const tag of await on.selectFrom("registry_tag").select(["workspace_id", "repository", "digest"]).execute()) {
      named.add(keyOf(tag));
    }
    const below = new Map<string, string[]>();
    const link = (from: string, to: string) => below.set(from, [...(below.get(from) ?? []), to]);
    const children = await on
      .selectFrom("registry_content")
      .select(["workspace_id", "repository", "manifest", "digest"])
      .where("kind", "=", "manifest")
      .execute();
    for (const child of children) link(keyOf({ ...child, digest: child.manifest }), keyOf(child));
    for (const manifest of manifests) {
      if (manifest.subject !== null) link(keyOf({ ...manifest, digest: manifest.subject }), keyOf(manifest));
    }
    // A set goes on over what is added to it on the way.
    for (const key of named) for (const next of below.get(key) ?? []) named.add(next);
    return named;
  }

  async function forgetLayers(on: Transaction<RegistryTables>, { usedBefore }: ForgetLimits): Promise<number> {
    const elsewhere = await namedElsewhere(on);
    const unused = await on
      .selectFrom("registry_layer")
      .select("digest")
      .where("used_at", "<", usedBefore.toISOString())
      .where((where) =>
        where.not(
          where.exists(
            where
              .selectFrom("registry_content")
              .select("registry_content.digest")
              .whereRef("registry_content.digest", "=", "registry_layer.digest"),
          ),
        ),
      )
      .execute();
    const forgotten = unused.filter(({ digest }) => !elsewhere.has(digest));
    for (const { digest } of forgotten) {
      await on.deleteFrom("registry_layer").where("digest", "=", digest).execute();
    }
    return forgotten.length;
  }

  async function forgetPushedBlobs(on: Transaction<RegistryTables>, { usedBefore }: ForgetLimits): Promise<number> {
    const result = await on
      .deleteFrom("registry_blob")
      .where("used_at", "<", usedBefore.toISOString())
      .where((where) =>
        where.not(
          where.exists(
            where
              .selectFrom("registry_content")
              .select("registry_content.digest")
              .whereRef("registry_content.workspace_id", "=", "registry_blob.workspace_id")
              .whereRef("registry_content.repository", "=", "registry_blob.repository")
              .whereRef("registry_content.digest", "=", "registry_blob.digest"),
          ),
        ),
      )
      .executeTakeFirst();
    return Number(result.numDeletedRows);
  }

  async function forgetFiles(on: Transaction<RegistryTables>, { unnamedBefore }: ForgetLimits): Promise<number> {
    const texts = await options.openOperationTexts(on);
    let forgotten = 0;
    for (const rows of options.namedRows) {
      const search = { except: options.cacheTables, texts, before: unnamedBefore };
      forgotten += await removeUnnamed(on, rows, search);
    }
    return forgotten;
  }

  async function forget(on: Transaction<RegistryTables>, limits: ForgetLimits): Promise<Forgotten> {
    const files = await forgetFiles(on, limits);
    const manifests = await forgetManifests(on, limits);
    const layers = await forgetLayers(on, limits);
    return { manifests, layers, pushedBlobs: await forgetPushedBlobs(on, limits), files };
  }

  /** Every digest that the database needs, wherever it stands. */
  async function namedBlobs(on: Kysely<RegistryTables>): Promise<ReadonlySet<string>> {
    return namedIn(on, options.cacheTables);
  }

  return {
    /** Nothing else reads or writes the database meanwhile. */
    transaction: <Result>(work: (transaction: Transaction<RegistryTables>) => Promise<Result>) =>
      db.transaction().execute(work),

    /** Removes the rows of manifests, layers and pushed blobs that nothing names. Their blobs stay for now. */
    forget,
    namedBlobs,

    /** What {@link forget} would remove, and what would be named after it. Nothing changes. */
    async preview(
      limits: ForgetLimits,
    ): Promise<{ readonly forgotten: Forgotten; readonly named: ReadonlySet<string> }> {
      const transaction = await db.startTransaction().execute();
      try {
        const forgotten = await forget(transaction, limits);
        return { forgotten, named: await namedBlobs(transaction) };
      } finally {
        await transaction.rollback().execute();
      }
    },
  };
}

type ManifestKey = Pick<RegistryTables["registry_manifest"], "workspace_id" | "repository" | "digest" | "subject">;

function keyOf(at: Pick<ManifestKey, "workspace_id" | "repository" | "digest">): string {
  return `${at.workspace_id} ${at.repository} ${at.digest}`;
}
