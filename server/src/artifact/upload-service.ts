import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import type { Kysely } from "kysely";
import type { BlobInfo, BlobStore } from "../platform/blob-store/blob-store.ts";
import type { Clock } from "../platform/clock.ts";
import { AppError, errnoCode } from "../platform/errors.ts";
import { identifyProcess } from "../platform/process-identity.ts";
import type { ArtifactContent } from "./artifact.ts";
import { createArtifactStore } from "./artifact-store.ts";
import type { ArtifactTables } from "./artifact-tables.ts";
import { createStagedBlocks } from "./staged-blocks.ts";
import type { BlockPlace, StagedBlock } from "./staging-area.ts";
import { isOfDigest, type UploadGrant } from "./upload-addresses.ts";
import { blobAlreadyExists, blobNotUploaded, md5Mismatch, sha256Mismatch, uploadBusy } from "./upload-errors.ts";

/** What the client says about the bytes it sends with one request. */
export interface Checksums {
  /** hex */
  readonly sha256?: string | undefined;
  /** hex */
  readonly md5?: string | undefined;
}

export interface IncomingBlock {
  readonly id: string;
  readonly bytes: AsyncIterable<Uint8Array>;
  readonly sums: Checksums;
  readonly place: BlockPlace;
}

export interface UploadService {
  /** The whole file at once. @throws {AppError} BlobAlreadyExists, Sha256Mismatch, Md5Mismatch, BlobDigestMismatch */
  put(
    grant: UploadGrant,
    bytes: AsyncIterable<Uint8Array>,
    sums: Checksums,
    write: WriteMode,
  ): Promise<ArtifactContent>;
  /**
   * @param block.place.offset where the block belongs in the whole file. Blocks that lie so are not copied once more by the
   * commit. Only with an announced digest: a wrong offset then shows.
   */
  putBlock(grant: UploadGrant, block: IncomingBlock): Promise<void>;
  /** Makes the file of these blocks, in this order. @throws {AppError} InvalidBlockList, BlobAlreadyExists, BlobDigestMismatch */
  commit(grant: UploadGrant, blockIds: readonly string[], write: WriteMode): Promise<ArtifactContent>;
  blocks(grant: UploadGrant): Promise<StagedBlock[]>;
  /** Somebody's upload with an announced digest has not ended, so that a later attempt finds its blocks. */
  hasInterrupted(): Promise<boolean>;
  /** @throws {AppError} BlobNotFound */
  get(grant: UploadGrant): Promise<ArtifactContent>;
  /** Before the process ends; blocks that came stay for the next one. */
  close(): Promise<void>;
  read(content: ArtifactContent, range?: { readonly start: number; readonly end: number }): AsyncIterable<Uint8Array>;
}

/**
 * `onlyIfNew` (`If-None-Match: *`): an artifact that has content already is a conflict. Without it, the same bytes once more
 * are a success, so that a client may repeat a request whose answer was lost. Other bytes are a conflict either way.
 */
export interface WriteMode {
  readonly onlyIfNew: boolean;
}

export interface UploadDependencies<Tables extends ArtifactTables> {
  readonly database: Kysely<Tables>;
  readonly clock: Clock;
  readonly blobs: BlobStore;
  /** for uncommitted blocks; they survive a restart and are kept for seven days */
  readonly directory: string;
}

export async function openUploads<Tables extends ArtifactTables>(
  deps: UploadDependencies<Tables>,
): Promise<UploadService> {
  const { blobs } = deps;
  const store = createArtifactStore(deps.database, deps.clock);
  await mkdir(deps.directory, { recursive: true });
  const staged = createStagedBlocks(deps.directory, (await identifyProcess(process.pid))?.bootId ?? "");
  await staged.sweep(deps.clock, async (uploadId) => {
    const upload = await store.findUpload(uploadId);
    return upload === undefined || upload.content !== null;
  });

  async function find(grant: UploadGrant): Promise<ArtifactContent | undefined> {
    const upload = await store.findUpload(grant.uploadId);
    if (upload === undefined) throw blobNotUploaded();
    return upload.content ?? undefined;
  }

  /**
   * Before the bytes travel: a conflict if the artifact has content, or that content if it is what the client announced
   * to send. Undefined: go on. {@link complete} decides between writers.
   */
  async function storedBefore(grant: UploadGrant, write: WriteMode): Promise<ArtifactContent | undefined> {
    const content = await find(grant);
    if (content === undefined) return undefined;
    if (!write.onlyIfNew && grant.announcedDigest === content.digest) return content;
    if (write.onlyIfNew || grant.announcedDigest !== undefined) throw blobAlreadyExists();
    return undefined;
  }

  async function complete(grant: UploadGrant, write: WriteMode, blob: BlobInfo): Promise<ArtifactContent> {
    const first = await store.complete(grant.uploadId, blob);
    const content = await find(grant);
    if (content === undefined) throw new Error(`The upload ${grant.uploadId} has no content after it was completed.`);
    await staged.discardAll(grant.uploadId);
    if (!first && (write.onlyIfNew || content.digest !== blob.digest)) throw blobAlreadyExists();
    return content;
  }

  /** Another writer who finishes takes the staged blocks away under this one. */
  async function withBlocks<Result>(grant: UploadGrant, work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      if ((await find(grant)) !== undefined) throw blobAlreadyExists();
      throw errnoCode(error) === "EBADF" ? uploadBusy() : error;
    }
  }

  return {
    async put(grant, bytes, sums, write) {
      const before = await storedBefore(grant, write);
      if (before !== undefined) return before;
      const digest = sums.sha256 && `sha256:${sums.sha256}`;
      if (digest && grant.announcedDigest && digest !== grant.announcedDigest) throw sha256Mismatch(digest);
      const expected = grant.announcedDigest ?? digest;
      const blob = await blobs.put(verified(bytes, { md5: sums.md5 }), { expected });
      return complete(grant, write, blob);
    },

    async putBlock(grant, { id, bytes, sums, place }) {
      if ((await find(grant)) !== undefined) throw blobAlreadyExists();
      const { sizeBytes, offset } = place;
      const placed = { sizeBytes, offset: grant.announcedDigest === undefined ? undefined : offset };
      try {
        await withBlocks(grant, () => staged.put(grant, id, verified(bytes, sums), placed));
      } catch (error) {
        // The genuine client begins again under another address: what it sent so far only keeps the disk full.
        if (errnoCode(error) === "ENOSPC" && grant.announcedDigest === undefined) await staged.discard(grant);
        throw error;
      }
    },

    async commit(grant, blockIds, write) {
      const before = await storedBefore(grant, write);
      if (before !== undefined) return before;
      try {
        const blob = await withBlocks(grant, () => staged.assemble(grant, blockIds, blobs, grant.announcedDigest));
        return await complete(grant, write, blob);
      } catch (error) {
        // Blocks that do not give the announced bytes will not give them next time either: the client begins again.
        if (codeOf(error) === "BlobDigestMismatch") await staged.discard(grant);
        throw error;
      }
    },

    close: () => staged.close(),

    blocks: (grant) => staged.list(grant),

    hasInterrupted: async () => (await staged.areas()).some(isOfDigest),

    async get(grant) {
      const content = await find(grant);
      if (content === undefined) throw blobNotUploaded();
      return content;
    },

    read: (content, range) => blobs.read(content.digest, range),
  };
}

function codeOf(error: unknown): string | undefined {
  return error instanceof AppError ? error.code : undefined;
}

/** Passes the bytes on and fails at their end if they are not the announced ones. */
async function* verified(bytes: AsyncIterable<Uint8Array>, sums: Checksums): AsyncGenerator<Uint8Array> {
  const sha256 = sums.sha256 === undefined ? undefined : createHash("sha256");
  const md5 = sums.md5 === undefined ? undefined : createHash("md5");
  for await (const chunk of bytes) {
    sha256?.update(chunk);
    md5?.update(chunk);
    yield chunk;
  }
  const actual = sha256?.digest("hex");
  if (actual !== undefined && actual !== sums.sha256) throw sha256Mismatch(actual);
  if (md5 !== undefined && md5.digest("hex") !== sums.md5) throw md5Mismatch();
}
