import type { ReservedArtifacts } from "@slipway/api";
import { uploadBlob, uploadInOneRequest } from "./blob-upload.ts";
import { type FileSource, toHex } from "./file-source.ts";
import { type Fetch, type Http, reach } from "./http.ts";
import { errorFromResponse, SlipwayError } from "./slipway-error.ts";
import type { WorkspaceAddress } from "./workspace-address.ts";

/** How far an upload is, over all its files. */
export interface UploadProgress {
  readonly sentBytes: number;
  readonly totalBytes: number;
  /** bytes the server had already, so that they were not sent */
  readonly reusedBytes: number;
}

export interface UploadOptions {
  readonly onUpload?: ((progress: UploadProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface UploadedFile {
  readonly path: string;
  /** `LocalUpload/<container>/<path>` */
  readonly artifactId: string;
  /** of the bytes that are stored, in hex */
  readonly sha256: string | undefined;
}

/** A stored file that can be fetched without a token. */
export interface StoredFile {
  readonly path: string;
  readonly contentUri: string;
}

export type Artifacts = ReturnType<typeof createArtifacts>;

const ORIGIN = "LocalUpload";
/** The wire's limit for one reservation (wire contract, 5.1). Schemas are not loaded for a number: they are most of `api`. */
const MAX_RESERVED_PATHS = 50;
/** From here on reading a file twice, once to hash and once to send it, is felt. */
const LARGE_BYTES = 64 * 1024 * 1024;
/** What the wire calls the head of a file. */
const HEAD_BYTES = 1024 * 1024;

interface DigestedFile {
  readonly file: FileSource;
  readonly sha256?: string | undefined;
  readonly headSha256?: string;
}

export function createArtifacts(http: Http, fetch: Fetch, address: WorkspaceAddress) {
  async function reserve(container: string, files: readonly DigestedFile[], signal: AbortSignal | undefined) {
    const paths = files.map(({ file, sha256, headSha256 }) => ({
      path: file.path,
      ...(sha256 === undefined ? {} : { sha256 }),
      ...(headSha256 === undefined ? {} : { headSha256, sizeBytes: file.sizeBytes }),
    }));
    return http.json<ReservedArtifacts>(
      "POST",
      `${address.artifacts}/artifacts/batch/metadata/${ORIGIN}/${container}`,
      {
        body: { paths },
        signal,
      },
    );
  }

  /**
   * One large file whose first part the server never saw is new to it: it is sent at once, and the server's hash names it.
   *
   * @returns undefined if its digest may spare the upload, or the connection broke: a digest lets it go on where it ended
   */
  async function uploadUnseen(
    files: readonly FileSource[],
    options: UploadOptions,
  ): Promise<UploadedFile[] | undefined> {
    const [file, ...others] = files;
    if (file === undefined || others.length > 0 || file.sizeBytes < LARGE_BYTES) return undefined;
    const digested = [{ file, headSha256: await headOf(file) }];
    const reservation = await reserve(await containerFor(digested), digested, options.signal);
    const { artifact, content } = reserved(reservation, file.path);
    if (content.mayBeStored !== false) return undefined;
    let sentBytes = 0;
    const onSent = (bytes: number) => {
      sentBytes += bytes;
      options.onUpload?.({ sentBytes, totalBytes: file.sizeBytes, reusedBytes: 0 });
    };
    const sent = await uploadInOneRequest(fetch, content.uploadUri, file, { onSent, signal: options.signal });
    return sent && [{ path: file.path, artifactId: artifact.artifactId, ...sent }];
  }

  return {
    /** Sends files. Content that the server has is not sent again, and an interrupted upload goes on where it ended. */
    async upload(files: readonly FileSource[], options: UploadOptions = {}): Promise<UploadedFile[]> {
      const unseen = await uploadUnseen(files, options);
      if (unseen !== undefined) return unseen;
      const digested: DigestedFile[] = [];
      for (const file of files) digested.push({ file, sha256: await file.sha256?.(options.signal) });
      const container = await containerFor(digested);
      const totalBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
      let sentBytes = 0;
      let reusedBytes = 0;
      const report = () => options.onUpload?.({ sentBytes, totalBytes, reusedBytes });
      const uploaded: UploadedFile[] = [];
      for (let first = 0; first < files.length; first += MAX_RESERVED_PATHS) {
        const batch = digested.slice(first, first + MAX_RESERVED_PATHS);
        const reservation = await reserve(container, batch, options.signal);
        for (const { file, sha256 } of batch) {
          const { artifact, content } = reserved(reservation, file.path);
          if (content.alreadyStored) reusedBytes += file.sizeBytes;
          else {
            const onSent = (bytes: number) => {
              sentBytes += bytes;
              report();
            };
            await uploadBlob(fetch, content.uploadUri, file, { onSent, signal: options.signal });
          }
          uploaded.push({ path: file.path, artifactId: artifact.artifactId, sha256 });
        }
        report();
      }
      return uploaded;
    },

    /** All files at or below `origin/container/path`. */
    async list(prefix: string, options: { readonly signal?: AbortSignal | undefined } = {}): Promise<StoredFile[]> {
      const url = `${address.artifacts}/artifacts/prefix/contentinfo/${prefix.split("/").map(encodeURIComponent).join("/")}`;
      const files: StoredFile[] = [];
      let continuationToken: string | undefined;
      do {
        const page: { value: StoredFile[]; continuationToken?: string | null } = await http.json("GET", url, {
          query: { continuationToken },
          signal: options.signal,
        });
        files.push(...page.value.map(({ path, contentUri }) => ({ path, contentUri })));
        continuationToken = page.continuationToken ?? undefined;
      } while (continuationToken !== undefined);
      return files;
    },

    /** The bytes of a stored file; links carry their own signature. */
    async open(contentUri: string, options: { readonly signal?: AbortSignal | undefined } = {}): Promise<Response> {
      const response = await reach(fetch, contentUri, options.signal === undefined ? {} : { signal: options.signal });
      if (!response.ok) throw await errorFromResponse(response);
      return response;
    },
  };
}

/** Named by names and contents, so that the same upload finds what an interrupted one left behind; without digests a new one. */
async function containerFor(files: readonly DigestedFile[]): Promise<string> {
  if (files.some(({ sha256 }) => sha256 === undefined)) return crypto.randomUUID().replaceAll("-", "");
  const content = JSON.stringify(files.map(({ file, sha256 }) => [file.path, sha256]));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(content)));
  return toHex(digest.subarray(0, 16));
}

async function headOf(file: FileSource): Promise<string> {
  const head = await file.slice(0, HEAD_BYTES);
  const bytes = head instanceof Blob ? await head.arrayBuffer() : head;
  return toHex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}

function reserved(reservation: ReservedArtifacts, path: string) {
  const artifact = reservation.artifacts[path];
  const content = reservation.artifactContentInformation[path];
  if (artifact !== undefined && content !== undefined) return { artifact, content };
  throw new SlipwayError({
    code: "UnexpectedAnswer",
    message: `The server reserved no upload address for ${path}.`,
  });
}
