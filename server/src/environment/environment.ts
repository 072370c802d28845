/** What is asked for. Texts as the user wrote them; they are hostile until parsed. */
export interface EnvironmentRequest {
  /** conda YAML */
  readonly condaFile?: string;
  /** pip requirements lines beside the conda file */
  readonly pipRequirements?: string;
  /** X.Y or X.Y.Z; a `python=` of the conda file goes first */
  readonly pythonVersion?: string;
  /** Add azureml-core when nothing in the lock provides the `azureml` package; the text names the line that imports it. */
  readonly azuremlImportedAt?: string;
  /** refuse another Python than the one asked for */
  readonly strictPython?: boolean;
}

/** Python + packages, resolved, locked and installed. The same lock, Python minor and platform give the same one. */
export interface PreparedEnvironment {
  /** sha256 hex over lock, Python minor version and platform */
  readonly id: string;
  /** absolute path of the relocatable tree; `bin/python` in it runs */
  readonly root: string;
  /** X.Y.Z of the interpreter in it */
  readonly pythonVersion: string;
  /** exact versions with hashes; requirements.txt format */
  readonly lock: string;
  readonly packages: readonly { readonly name: string; readonly version: string }[];
  /** shown in build log, image properties and CLI */
  readonly warnings: readonly string[];
  /** true when nothing had to be resolved or installed */
  readonly reused: boolean;
}

export interface EnvironmentService {
  /**
   * Idempotent and safe to call twice at once for the same request: the second call waits for the first.
   *
   * @throws {AppError} CondaFileInvalid, RequirementInvalid, EnvironmentUnsolvable (names the conflict), PythonNotAvailable,
   * PackageBuildFailed, EnvironmentIndexUnreachable, PackageInstallerNotAvailable, EnvironmentInstallFailed, DiskFull
   */
  prepare(
    request: EnvironmentRequest,
    run: { readonly signal: AbortSignal; say(text: string): void },
  ): Promise<PreparedEnvironment>;
}
