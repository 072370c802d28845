import { createHash } from "node:crypto";
import type { Kysely } from "kysely";
import type { BlobStore } from "../platform/blob-store/blob-store.ts";
import type { Clock } from "../platform/clock.ts";
import type { Artifact, ArtifactReader, ReservedArtifact } from "./artifact.ts";
import {
  artifactNotFound,
  artifactNotText,
  artifactNotUploaded,
  artifactTooLarge,
  continuationTokenInvalid,
} from "./artifact-errors.ts";
import { type ArtifactPlace, artifactId, checkArtifactPath, checkContainer, parseArtifactId } from "./artifact-path.ts";
import { createArtifactStore } from "./artifact-store.ts";
import type { ArtifactTables } from "./artifact-tables.ts";
import type { UploadService } from "./upload-service.ts";

/** Files in one answer of a listing. */
const PAGE_SIZE = 500;
/** Of the newest contents of one size. An older one that is missed is only sent once more. */
const MAX_COMPARED_HEADS = 20;

export interface FileToReserve {
  readonly path: string;
  /** `sha256:…` of the file, if the client knows it */
  readonly digest?: string | undefined;
  /** announced instead of the digest by a client that would rather not read the file twice */
  readonly head?: FileHead | undefined;
}

export interface FileHead {
  readonly fileBytes: number;
  /** SHA-256 in hex of the first `headBytes`, or of the whole file if it is shorter */
  readonly sha256: string;
  readonly headBytes: number;
}

export interface Reservation {
  readonly artifact: ReservedArtifact;
  readonly announcedDigest: string | undefined;
  /** the announced bytes are in place */
  readonly alreadyStored: boolean;
  /** with an announced head: whether the digest could spare the upload */
  readonly mayBeStored: boolean | undefined;
}

export interface ArtifactPageResult {
  readonly artifacts: readonly ReservedArtifact[];
  readonly continuationToken: string | null;
}

export interface ArtifactService extends ArtifactReader {
  /** Names for files that will be uploaded. @throws {AppError} ArtifactPathInvalid */
  reserve(
    workspaceId: string,
    origin: string,
    container: string,
    files: readonly FileToReserve[],
  ): Promise<Reservation[]>;
  /** One uploaded file. @throws {AppError} ArtifactNotFound, ArtifactNotUploaded */
  get(workspaceId: string, place: ArtifactPlace): Promise<ReservedArtifact>;
  /** Uploaded files at or below a place, page by page. */
  list(workspaceId: string, place: ArtifactPlace, continuationToken?: string): Promise<ArtifactPageResult>;
}

export interface ArtifactDependencies<Tables extends ArtifactTables> {
  readonly database: Kysely<Tables>;
  readonly clock: Clock;
  readonly blobs: BlobStore;
  readonly uploads: Pick<UploadService, "hasInterrupted">;
}

export function createArtifactService<Tables extends ArtifactTables>(
  deps: ArtifactDependencies<Tables>,
): ArtifactService {
  const { blobs, uploads } = deps;
  const store = createArtifactStore(deps.database, deps.clock);

  /** Unchanged bytes are never sent twice: a digest that the workspace holds becomes the content of the new artifact. */
  async function isStored(workspaceId: string, artifact: ReservedArtifact, digest: string): Promise<boolean> {
    if (artifact.content !== null) return artifact.content.digest === digest;
    const known = await store.findContent(workspaceId, digest);
    if (known === undefined || !(await blobs.has(digest))) return false;
    return store.complete(artifact.uploadId, known);
  }

  async function mayBeStored(workspaceId: string, head: FileHead): Promise<boolean> {
    for (const digest of await store.digestsOfSize(workspaceId, head.fileBytes, MAX_COMPARED_HEADS)) {
      if ((await headSha256(digest, head.headBytes)) === head.sha256) return true;
    }
    return uploads.hasInterrupted();
  }

  /** Undefined if the bytes are gone: then they have to be sent. */
  async function headSha256(digest: string, headBytes: number): Promise<string | undefined> {
    if (!(await blobs.has(digest))) return undefined;
    const hash = createHash("sha256");
    for await (const chunk of blobs.read(digest, { start: 0, end: headBytes - 1 })) hash.update(chunk);
    return hash.digest("hex");
  }

  async function get(workspaceId: string, place: ArtifactPlace): Promise<ReservedArtifact> {
    const [found] = await store.list(workspaceId, place, { limit: 1 });
    if (found === undefined || found.path !== place.path) throw artifactNotFound(artifactId(place));
    if (found.content === null) throw artifactNotUploaded([found.id]);
    return found;
  }

  return {
    get,

    async reserve(workspaceId, origin, container, files) {
      checkContainer(origin, container);
      for (const file of files) checkArtifactPath(file.path);
      const artifacts = await store.reserve(
        workspaceId,
        origin,
        container,
        files.map((file) => file.path),
      );
      const announced = new Map(files.map((file) => [file.path, file]));
      const reservations: Reservation[] = [];
      for (const artifact of artifacts) {
        const { digest, head } = announced.get(artifact.path) ?? {};
        reservations.push({
          artifact,
          announcedDigest: digest,
          alreadyStored: digest !== undefined && (await isStored(workspaceId, artifact, digest)),
          mayBeStored: head && (await mayBeStored(workspaceId, head)),
        });
      }
      return reservations;
    },

    async list(workspaceId, place, continuationToken) {
      const afterPath = continuationToken === undefined ? undefined : readToken(continuationToken);
      const found = await store.list(workspaceId, place, { afterPath, limit: PAGE_SIZE + 1, uploadedOnly: true });
      const artifacts = found.slice(0, PAGE_SIZE);
      const last = artifacts.at(-1);
      const more = found.length > PAGE_SIZE && last !== undefined;
      return { artifacts, continuationToken: more ? Buffer.from(last.path).toString("base64url") : null };
    },

    async resolve(workspaceId, prefix) {
      const place = parseArtifactId(prefix);
      const found = await store.list(workspaceId, place);
      if (found.length === 0) throw artifactNotFound(artifactId(place));
      const missing = found.filter((artifact) => artifact.content === null);
      if (missing.length > 0) throw artifactNotUploaded(missing.map((artifact) => artifact.id));
      return found.flatMap(uploaded);
    },

    async readText(workspaceId, idOrUri, maxBytes) {
      const artifact = await get(workspaceId, parseArtifactId(idOrUri));
      const [content] = uploaded(artifact);
      if (content === undefined) throw artifactNotUploaded([artifact.id]);
      if (content.sizeBytes > maxBytes) throw artifactTooLarge(artifact.id, content.sizeBytes, maxBytes);
      const chunks: Uint8Array[] = [];
      for await (const chunk of blobs.read(content.digest)) chunks.push(chunk);
      try {
        return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks));
      } catch {
        throw artifactNotText(artifact.id);
      }
    },
  };
}

function uploaded(artifact: ReservedArtifact): Artifact[] {
  const { id, origin, container, path, content } = artifact;
  return content === null
    ? []
    : [{ id, origin, container, path, digest: content.digest, sizeBytes: content.sizeBytes }];
}

function readToken(token: string): string {
  const path = Buffer.from(token, "base64url").toString();
  if (path === "" || Buffer.from(path).toString("base64url") !== token) throw continuationTokenInvalid();
  return path;
}
