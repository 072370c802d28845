import type { Kysely } from "kysely";
import type { BlobStore } from "../platform/blob-store/blob-store.ts";
import type { Clock } from "../platform/clock.ts";
import { createManifestStore } from "./manifest-store.ts";
import type { Repository } from "./registry.ts";
import { blobInUse, quotaExceeded, uploadIncomplete } from "./registry-errors.ts";
import type { RegistryTables } from "./registry-tables.ts";
import { createRepositoryBlobStore, type RepositoryBlob } from "./repository-blob-store.ts";
import { openUploadSessions } from "./upload-sessions.ts";

/** The body of a request that brings bytes. */
export interface IncomingChunk {
  readonly bytes: AsyncIterable<Uint8Array>;
  /** `Content-Length`, if the client says it */
  readonly sizeBytes: number | undefined;
  /** `Content-Range`, if the client says it */
  readonly range: { readonly start: number; readonly end: number } | undefined;
}

export interface BlobUploadDependencies<Tables extends RegistryTables> {
  readonly database: Kysely<Tables>;
  readonly clock: Clock;
  readonly blobs: BlobStore;
  /** for uploads that are under way */
  readonly directory: string;
  /** what the clients of one workspace may push; undefined: as much as the disk takes */
  readonly quotaBytes?: number | undefined;
}

export type BlobUploads = Awaited<ReturnType<typeof openBlobUploads>>;

/** How blobs come into repositories: uploads in one or many requests, and mounts from repositories of the same workspace. */
export async function openBlobUploads<Tables extends RegistryTables>(deps: BlobUploadDependencies<Tables>) {
  const { blobs, quotaBytes } = deps;
  const database = deps.database as unknown as Kysely<RegistryTables>;
  const repositoryBlobs = createRepositoryBlobStore(database, deps.clock);
  const manifests = createManifestStore(database, deps.clock);
  const sessions = await openUploadSessions(deps.directory, blobs);

  /** @returns how many bytes may still come */
  async function room(workspaceId: string, coming = 0): Promise<number> {
    if (quotaBytes === undefined) return Number.POSITIVE_INFINITY;
    const used = (await repositoryBlobs.usedBytes(workspaceId)) + (await sessions.pendingBytes(workspaceId));
    if (used + coming > quotaBytes || used >= quotaBytes) throw quotaExceeded(quotaBytes);
    return quotaBytes - used;
  }

  async function append(repository: Repository, id: string, chunk: IncomingChunk): Promise<number> {
    const { range, sizeBytes } = chunk;
    const announced = range === undefined ? sizeBytes : range.end - range.start + 1;
    const left = await room(repository.workspaceId, announced);
    let came = 0;
    async function* counted(): AsyncGenerator<Uint8Array> {
      for await (const part of chunk.bytes) {
        came += part.length;
        if (came > left) throw quotaExceeded(quotaBytes ?? 0);
        yield part;
      }
    }
    const size = await sessions
      .append(repository, id, { bytes: counted(), start: range?.start })
      .catch(async (error) => {
        // It cannot go on, and its bytes count.
        if (came > left) await sessions.cancel(repository, id);
        throw error;
      });
    if (announced !== undefined && came !== announced) throw uploadIncomplete(announced, came);
    return size;
  }

  async function finish(repository: Repository, id: string, digest: string): Promise<RepositoryBlob> {
    const blob = await sessions.finish(repository, id, digest);
    await repositoryBlobs.add(repository, blob);
    return blob;
  }

  /** @throws {AppError} DENIED when the workspace's quota is used up */
  async function start(repository: Repository): Promise<string> {
    await room(repository.workspaceId);
    return sessions.start(repository);
  }

  return {
    sizeOf: sessions.sizeOf,
    cancel: sessions.cancel,
    start,
    append,
    finish,

    /** All in one request. @throws {AppError} DIGEST_INVALID, SIZE_INVALID, DENIED */
    async put(repository: Repository, digest: string, chunk: IncomingChunk): Promise<RepositoryBlob> {
      const id = await start(repository);
      try {
        await append(repository, id, chunk);
        return await finish(repository, id, digest);
      } catch (error) {
        await sessions.cancel(repository, id).catch(() => {});
        throw error;
      }
    },

    /**
     * Takes a blob over from another repository of the same workspace, without a byte being sent.
     *
     * @param from undefined: from whichever has it
     * @returns undefined when it is not there: the client uploads it
     */
    async mount(repository: Repository, digest: string, from?: string): Promise<RepositoryBlob | undefined> {
      const { workspaceId } = repository;
      const pushed =
        from === undefined
          ? await repositoryBlobs.findAnywhere(workspaceId, digest)
          : await repositoryBlobs.find({ workspaceId, name: from }, digest);
      const found = pushed ?? (await builtBlob(workspaceId, from, digest));
      if (found === undefined || !(await blobs.has(found.blob))) return undefined;
      await repositoryBlobs.add(repository, found);
      return found;
    },

    /**
     * @returns whether it was there
     * @throws {AppError} DENIED when a manifest of the repository names it
     */
    async remove(repository: Repository, digest: string): Promise<boolean> {
      if (await manifests.names(repository, digest)) throw blobInUse(digest, repository.name);
      return repositoryBlobs.remove(repository, digest);
    },

    stale: sessions.stale,
  };

  /** A stored part of an image that Slipway built or pulled itself. */
  async function builtBlob(
    workspaceId: string,
    from: string | undefined,
    digest: string,
  ): Promise<RepositoryBlob | undefined> {
    if (from === undefined || !digest.startsWith("sha256:")) return undefined;
    if (!(await manifests.names({ workspaceId, name: from }, digest)) || !(await blobs.has(digest))) return undefined;
    return { digest, blob: digest, sizeBytes: (await blobs.info(digest)).sizeBytes };
  }
}
