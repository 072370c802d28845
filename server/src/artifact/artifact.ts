/** One uploaded file: an artifact id `origin/container/path` and the blob with its bytes. */
export interface Artifact {
  /** `LocalUpload/261122T092406-e520d039/model.pkl` */
  readonly id: string;
  readonly origin: string;
  readonly container: string;
  readonly path: string;
  readonly digest: string;
  readonly sizeBytes: number;
}

/** What other rooms ask of artifacts. */
export interface ArtifactReader {
  /**
   * All uploaded files at exactly this artifact id or below it as a folder, sorted by path; trailing slashes do not count.
   * Reserved but never uploaded files make it fail with `ArtifactNotUploaded`, naming them.
   *
   * @param prefix `origin/container[/path]`, or the same as `aml://artifact/…`
   * @throws {AppError} ArtifactNotFound
   */
  resolve(workspaceId: string, prefix: string): Promise<Artifact[]>;
  /** The whole content of one small artifact (conda file, driver, requirements). @throws {AppError} ArtifactTooLarge */
  readText(workspaceId: string, idOrUri: string, maxBytes: number): Promise<string>;
}
