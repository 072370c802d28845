import type { ImageConfig, Platform } from "../../registry/index.ts";
import type { RegistryCredentials } from "../image.ts";

export interface BaseLayer {
  readonly digest: string;
  /** digest of the uncompressed tar */
  readonly diffId: string;
  /** as the OCI image specification names it; Docker's own names are translated, the bytes are the same */
  readonly mediaType: string;
  readonly sizeBytes: number;
}

/** What an image stands on, fixed by digest. All its layers are known to the registry and their bytes are stored. */
export interface ResolvedBase {
  /** as it was asked for: `python:3.11-slim-bookworm`, or `base:python3.11` of the built-in registry */
  readonly reference: string;
  /** of the manifest for `platform`, never of an index */
  readonly digest: string;
  readonly platform: Platform;
  /** lowest first */
  readonly layers: readonly BaseLayer[];
  readonly config: ImageConfig;
  /** links to folders high up in its file system, as `bin` to `usr/bin` */
  readonly links: Readonly<Record<string, string>>;
  /** absolute path of the interpreter with the minor version that was asked for; absent when none was asked for */
  readonly pythonPath?: string;
}

export interface BaseRequest {
  readonly workspaceId: string;
  /** `base_image` of the image; the installation's own base if not given */
  readonly reference?: string | undefined;
  readonly credentials?: RegistryCredentials | undefined;
  /** `3.11` or `3.11.4`: only the minor version counts. An ONNX image needs none */
  readonly pythonVersion?: string | undefined;
  /** as OCI names it: `amd64`, `arm64` */
  readonly architecture: string;
  /** look again, although a digest is kept for this reference (`slipway image rebuild`) */
  readonly refresh?: boolean | undefined;
  readonly signal: AbortSignal;
  /** a line of the build log */
  say?(text: string): void;
}

export interface BaseResolver {
  /**
   * Finds the base, stores its layers and remembers its digest, so that the next build stands on the same bytes.
   *
   * A base that nobody asked for by name is looked for 3 s at most, and not again for 10 minutes after a failure.
   *
   * @throws {AppError} why there is none: BaseNotFound, BaseWithoutPython, and every error of a remote registry
   * (ReferenceInvalid, RegistryHostUnknown, RegistryAccessDenied, PlatformNotOffered …). The message names the next action.
   */
  resolve(request: BaseRequest): Promise<ResolvedBase>;
}
