/** One uploaded file: an artifact id `origin/container/path` and the blob with its bytes. Never changed once uploaded. */
export interface Artifact {
  /** `LocalUpload/261122T092406-e520d039/model.pkl` */
  readonly id: string;
  readonly origin: string;
  readonly container: string;
  readonly path: string;
  readonly digest: string;
  readonly sizeBytes: number;
}

/** A name for a file that may not have been uploaded yet. */
export interface ReservedArtifact {
  readonly workspaceId: string;
  readonly id: string;
  readonly origin: string;
  readonly container: string;
  readonly path: string;
  /** unguessable; names the artifact in upload and download addresses */
  readonly uploadId: string;
  readonly createdAt: string;
  readonly content: ArtifactContent | null;
}

export interface ArtifactContent {
  readonly digest: string;
  readonly sizeBytes: number;
  readonly storedAt: string;
}

/** What other rooms ask of artifacts. */
export interface ArtifactReader {
  /**
   * All uploaded files at exactly this artifact id or below it as a folder, sorted by path; trailing slashes do not count.
   * Reserved but never uploaded files make it fail with `ArtifactNotUploaded`, naming them.
   *
   * @param prefix `origin/container[/path]`, or the same as `aml://artifact/…`
   * @throws {AppError} ArtifactNotFound, ArtifactNotUploaded, ArtifactIdInvalid
   */
  resolve(workspaceId: string, prefix: string): Promise<Artifact[]>;
  /** The whole content of one small artifact (conda file, driver, requirements). @throws {AppError} ArtifactTooLarge, ArtifactNotText */
  readText(workspaceId: string, idOrUri: string, maxBytes: number): Promise<string>;
}
