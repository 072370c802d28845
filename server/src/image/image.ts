import type { EnvironmentRequest } from "../environment/index.ts";
import type { ImageBundle } from "../target/target.ts";

export type ImageState = "NotStarted" | "Running" | "Succeeded" | "Failed" | "Cancelled" | "TimedOut";

export interface ImageAsset {
  readonly id: string;
  /** `aml://artifact/…` */
  readonly url: string;
  readonly mimeType: string;
  readonly unpack: boolean;
}

export interface ImageError {
  readonly code: string;
  readonly message: string;
  readonly details: readonly { readonly code: string; readonly message: string }[];
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
  /** why the build failed; the last lines of what failed are in `details` */
  readonly error: ImageError | null;
  readonly modelIds: readonly string[];
  readonly driverProgram: string | null;
  readonly assets: readonly ImageAsset[];
  readonly targetRuntime: {
    readonly runtimeType: string;
    readonly targetArchitecture: string;
    readonly properties: Readonly<Record<string, unknown>>;
  };
  /** conda YAML of the request itself (wire contract 13.1) */
  readonly condaFile: string | null;
  readonly environmentVariables: Readonly<Record<string, string>>;
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
  /** for the registry of the base that `targetRuntime` names; secret */
  readonly baseCredentials?: RegistryCredentials;
}

/** For a private registry. Secret: it is sealed where it is stored and never part of a log, a message or an image's row. */
export interface RegistryCredentials {
  readonly username: string;
  readonly password: string;
  /** the registry that they are for, and no other; any if absent */
  readonly host?: string;
}

/**
 * Everything that a build works on, found out and fixed by its first step: from then on names cannot come to mean
 * something else.
 */
export interface ImagePlan {
  readonly runtime: "python" | "onnx";
  readonly models: readonly PlannedModel[];
  readonly code: readonly PlannedFile[];
  /** the driver's path in the application folder; null for onnx */
  readonly driver: string | null;
  readonly condaFile: string | null;
  readonly pipRequirements: string | null;
  /** Docker steps upon the base, checked; absent in plans of older versions */
  readonly dockerSteps?: string | null;
}

export interface PlannedFile {
  /** path in the application folder; an archive's own name if it is unpacked */
  readonly path: string;
  readonly digest: string;
  readonly sizeBytes: number;
  readonly unpack: boolean;
  /** only of code that came with an image; an archive says it itself */
  readonly executable?: true;
}

export interface PlannedModel {
  readonly id: string;
  readonly name: string;
  readonly version: number;
  readonly files: readonly { readonly path: string; readonly digest: string; readonly sizeBytes: number }[];
}

/** What an image stands on, by name and for ever. */
export interface BuiltBase {
  readonly reference: string;
  readonly digest: string;
  /** who runs in the image: the base's own user, or one of ours where that is root */
  readonly user: string;
}

/** Kinds of documents that say what an image is made of; they lie beside it as referrers (OCI image specification, "subject"). */
export type ProofType = "lock" | "sbom" | "provenance";

/** A document beside an image. */
export interface ImageProof {
  readonly type: ProofType;
  readonly artifactType: string;
  /** of the artifact's manifest */
  readonly digest: string;
}

/** What is left of a finished build: enough to lay the image out again. */
export interface BuiltImage {
  readonly plan: ImagePlan;
  readonly environmentRoot: string | null;
  /** absent in images of older releases, whose property `slipway.environment` says it */
  readonly environmentId?: string | null;
  readonly environmentRequest: EnvironmentRequest | null;
  /** digest of the stored lock: exact versions with hashes */
  readonly lockDigest: string | null;
  /** what the build wrote beside the image; absent in images of older releases */
  readonly proofs?: readonly ImageProof[];
  /** as OCI names it: `amd64`, `arm64` */
  readonly architecture: string;
  readonly base: BuiltBase | null;
  /** of an image that was built elsewhere */
  readonly imported?: ImportedFrom;
}

/** Property of an image that was imported, or is being: where from. */
export const IMPORTED_FROM = "slipway.imported-from";

export interface ImportedFrom {
  /** `HOST/REPOSITORY@sha256:…` */
  readonly place: string;
  /** digest of the layer that its environment is laid out from; null without */
  readonly environmentLayer: string | null;
}

/** Where models lie below the application folder; the genuine client's `Model.get_model_path` looks there. */
export const MODELS_FOLDER = "azureml-models";

export const modelFolder = (model: Pick<PlannedModel, "name" | "version">) =>
  `${MODELS_FOLDER}/${model.name}/${model.version}`;

/** What `AZUREML_MODEL_DIR` says, relative to the application folder: the one model's folder, or that of all (wire contract 13.1). */
export function modelDirectory(models: readonly PlannedModel[]): string | undefined {
  const [first, second] = models;
  if (first === undefined) return undefined;
  return second === undefined ? modelFolder(first) : MODELS_FOLDER;
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
