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
  /** Any text. Requests that are the same but for it are resolved apart: a new one finds today's packages, a known one its lock. */
  readonly resolution?: string;
  /** what packages bring along for graphics cards is wanted */
  readonly gpu?: boolean;
  /** as OCI names it; for another than this machine's, packages come as wheels from Python package indexes only */
  readonly architecture?: string;
  /** refuse another Python than the one asked for */
  readonly strictPython?: boolean;
  /** where the packages came from before, for making the same environment again; chosen anew if not given */
  readonly resolver?: EnvironmentResolver;
}

/** Who chose the packages: conda's solver from its channels, or uv from Python package indexes. */
export type EnvironmentResolver = "conda" | "pypi";

/** Python + packages, resolved, locked and installed. The same lock, Python minor and platform give the same one. */
export interface PreparedEnvironment {
  /** sha256 hex over lock, Python minor version and platform */
  readonly id: string;
  /** absolute path of the relocatable tree; `bin/python` in it runs */
  readonly root: string;
  /** X.Y.Z of the interpreter in it */
  readonly pythonVersion: string;
  /** what comes from Python package indexes: exact versions with hashes; requirements.txt format */
  readonly lock: string;
  /** what comes from conda channels: `@EXPLICIT` list with hashes; empty when nothing does */
  readonly condaLock: string;
  /** with "conda" the tree holds its own Python, and its files name `/opt/env` as their place */
  readonly resolver: EnvironmentResolver;
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
   * CondaChannelInvalid, CondaChannelUnreachable, CondaPackageInvalid, PackageBuildFailed, EnvironmentIndexUnreachable, PackageInstallerNotAvailable, EnvironmentInstallFailed, DiskFull
   */
  prepare(
    request: EnvironmentRequest,
    run: { readonly signal: AbortSignal; say(text: string): void },
  ): Promise<PreparedEnvironment>;
}
