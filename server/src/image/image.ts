import type { ImageBundle } from "../target/target.ts";

export type ImageState = "NotStarted" | "Running" | "Succeeded" | "Failed" | "Cancelled" | "TimedOut";

export interface ImageAsset {
  readonly id: string;
  /** `aml://artifact/…` */
  readonly url: string;
  readonly mimeType: string;
  readonly unpack: boolean;
}

/** name + version; environment, model and code layers under one OCI manifest. */
export interface Image {
  /** `name:version` */
  readonly id: string;
  readonly workspaceId: string;
  readonly name: string;
  readonly version: number;
  readonly description: string | null;
  readonly tags: Readonly<Record<string, string>>;
  readonly properties: Readonly<Record<string, string>>;
  readonly imageType: string;
  readonly imageFlavor: string;
  readonly state: ImageState;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly modelIds: readonly string[];
  readonly driverProgram: string | null;
  readonly assets: readonly ImageAsset[];
  readonly targetRuntime: {
    readonly runtimeType: string;
    readonly targetArchitecture: string;
    readonly properties: Readonly<Record<string, unknown>>;
  };
  /** `sha256:…` of the manifest, once built */
  readonly digest: string | null;
  readonly operationId: string;
  /** secret segment of the build log's and Dockerfile's addresses, which are fetched without a token */
  readonly linkSecret: string;
  readonly createdAt: string;
}

/**
 * What an image is made from, whichever call asked for it: `POST images` (wire contract 7) or the `environmentImageRequest`
 * of a service (13.1).
 */
export interface ImageRequest {
  readonly name: string;
  readonly description?: string | null;
  readonly tags?: Readonly<Record<string, string>>;
  readonly properties?: Readonly<Record<string, string>>;
  readonly modelIds: readonly string[];
  readonly imageType?: string;
  readonly imageFlavor?: string;
  readonly driverProgram?: string | null;
  readonly assets: readonly ImageAsset[];
  readonly targetRuntime?: Image["targetRuntime"];
  /** conda YAML given in the request itself (13.1: `environment.python.condaDependencies`) instead of as an artifact */
  readonly condaFile?: string;
  readonly environmentVariables?: Readonly<Record<string, string>>;
}

/** What the service room asks of images. */
export interface ImageReader {
  /** @throws {AppError} ImageNotFound */
  get(workspaceId: string, id: string): Promise<Image>;
  /** Makes the row and its build operation in one transaction; both exist when this returns. */
  create(workspaceId: string, request: ImageRequest): Promise<Image>;
  /** What a target runs. Unpacks it again if somebody removed the folder. @throws {AppError} ImageNotReady with the build's error */
  bundle(workspaceId: string, id: string): Promise<ImageBundle>;
  /** How many images use a model, in words, for 412 answers. */
  usersOfModel(workspaceId: string, modelId: string): Promise<readonly string[]>;
}

/** Which services use an image, in words; supplied by the service room. */
export type ImageUsers = (workspaceId: string, imageId: string) => Promise<readonly string[]>;
