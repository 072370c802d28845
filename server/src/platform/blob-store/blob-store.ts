import type { BytesFrom } from "./partial-blobs.ts";

/** Bytes by their content: `sha256:<hex>`. Writing the same bytes twice stores them once. */
export interface BlobStore {
  /**
   * Streams to disk and hashes on the way; the blob appears under its digest only when it is whole and on disk (fsync).
   *
   * @param options.expected the digest that the bytes must have; otherwise nothing is stored and `BlobDigestMismatch` is thrown
   */
  put(
    bytes: AsyncIterable<Uint8Array>,
    options?: { readonly expected?: string | undefined; readonly signal?: AbortSignal },
  ): Promise<BlobInfo>;
  /**
   * Takes in a blob of known digest, going on where an earlier attempt was interrupted, also one of a process that was killed.
   * Several that want the same one at once wait for the first.
   *
   * @param from is asked for what is missing, unless the blob is there
   * @throws {AppError} BlobDigestMismatch; then nothing is kept
   */
  receive(digest: string, from: BytesFrom, signal?: AbortSignal): Promise<BlobInfo>;
  /** Takes over a finished file (same file system: renamed, not copied). `digest` must be right; it is the caller's hash. */
  adopt(file: string, digest: string): Promise<BlobInfo>;
  /** Whether it is there; if it is, it counts as just stored: whoever asks is about to name it, and {@link deleteIfOlder} waits for that. */
  has(digest: string): Promise<boolean>;
  /** @throws {AppError} BlobNotFound */
  info(digest: string): Promise<BlobInfo>;
  read(digest: string, range?: { readonly start: number; readonly end: number }): AsyncIterable<Uint8Array>;
  /** Absolute path of the stored file. Read only: never open it for writing. */
  path(digest: string): string;
  /** Puts the blob at `destination`: a hard link where the file system can, else a copy. */
  materialize(digest: string, destination: string): Promise<void>;
  delete(digest: string): Promise<void>;
  /** The size of a blob that was neither stored nor asked for ({@link has}) since `before`; undefined of others. */
  sizeIfOlder(digest: string, before: Date): number | undefined;
  /**
   * Deletes such a blob. Looks and deletes in one turn of the event loop: nobody can come to rely on it in between.
   *
   * @returns its size; undefined if it stays or is not there
   */
  deleteIfOlder(digest: string, before: Date): number | undefined;
  list(): AsyncIterable<string>;
}

export interface BlobInfo {
  readonly digest: string;
  readonly sizeBytes: number;
}
