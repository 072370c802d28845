import { uploadBlob } from "./blob-upload.ts";
import type { FileSource } from "./file-source.ts";
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
}

/** A stored file that can be fetched without a token. */
export interface StoredFile {
  readonly path: string;
  readonly contentUri: string;
}

interface Reservation {
  readonly artifacts: Readonly<Record<string, { readonly artifactId: string }>>;
  readonly artifactContentInformation: Readonly<
    Record<string, { readonly contentUri: string; readonly alreadyStored?: boolean }>
  >;
}

export type Artifacts = ReturnType<typeof createArtifacts>;

const ORIGIN = "LocalUpload";
/** The wire's limit for one reservation (wire contract, 5.1). */
const PATHS_PER_CALL = 50;

export function createArtifacts(http: Http, fetch: Fetch, address: WorkspaceAddress) {
  async function reserve(container: string, files: readonly FileSource[], signal: AbortSignal | undefined) {
    const paths = [];
    for (const file of files) {
      const sha256 = await file.sha256?.(signal);
      paths.push({ path: file.path, sizeBytes: file.sizeBytes, ...(sha256 === undefined ? {} : { sha256 }) });
    }
    return http.json<Reservation>("POST", `${address.artifacts}/artifacts/batch/metadata/${ORIGIN}/${container}`, {
      body: { paths },
      signal,
    });
  }

  return {
    /** Sends files into one new container. Content that the server has is not sent again. */
    async upload(files: readonly FileSource[], options: UploadOptions = {}): Promise<UploadedFile[]> {
      const container = newContainer();
      const totalBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
      let sentBytes = 0;
      let reusedBytes = 0;
      const report = () => options.onUpload?.({ sentBytes, totalBytes, reusedBytes });
      const uploaded: UploadedFile[] = [];
      for (let first = 0; first < files.length; first += PATHS_PER_CALL) {
        const batch = files.slice(first, first + PATHS_PER_CALL);
        const reservation = await reserve(container, batch, options.signal);
        for (const file of batch) {
          const artifact = reservation.artifacts[file.path];
          const content = reservation.artifactContentInformation[file.path];
          if (artifact === undefined || content === undefined) throw notReserved(file.path);
          if (content.alreadyStored === true) reusedBytes += file.sizeBytes;
          else {
            const onSent = (bytes: number) => {
              sentBytes += bytes;
              report();
            };
            await uploadBlob(fetch, content.contentUri, file, { onSent, signal: options.signal });
          }
          uploaded.push({ path: file.path, artifactId: artifact.artifactId });
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

/** `yymmddThhmmss-xxxxxxxx`, as the genuine client names them. */
function newContainer(): string {
  const time = new Date()
    .toISOString()
    .replace(/[-:]|\..*/g, "")
    .slice(2);
  return `${time}-${crypto.randomUUID().slice(0, 8)}`;
}

function notReserved(path: string): SlipwayError {
  return new SlipwayError({
    code: "UnexpectedAnswer",
    message: `The server reserved no upload address for ${path}.`,
  });
}
