/** A registered model: name + version + files + tags. Immutable but for the fields of {@link ModelEdit}. */
export interface Model extends ModelEdit {
  /** `name:version` */
  readonly id: string;
  readonly workspaceId: string;
  readonly name: string;
  readonly version: number;
  /** Custom, ScikitLearn, Onnx, TensorFlow, Multi … as the client says; Custom if it says nothing */
  readonly framework: string;
  readonly frameworkVersion: string | null;
  /** `aml://asset/<id>` */
  readonly url: string;
  readonly mimeType: string;
  /** the only file is a tar archive to be unpacked where the model is used */
  readonly unpack: boolean;
  readonly experimentName: string | null;
  readonly runId: string | null;
  readonly parentModelId: string | null;
  /** models that name this one as their parent */
  readonly derivedModelIds: readonly string[];
  readonly createdAt: string;
  readonly modifiedAt: string;
}

/** What may change after registration. */
export interface ModelEdit {
  readonly description: string | null;
  readonly tags: Readonly<Record<string, string>>;
  readonly properties: Readonly<Record<string, string>>;
  readonly datasets: readonly DatasetReference[];
  /** `aml://dataset/…`, or JSON text */
  readonly sampleInputData: string | null;
  readonly sampleOutputData: string | null;
  readonly resourceRequirements: ResourceRequirements | null;
}

export interface DatasetReference {
  readonly name: string;
  readonly id: string;
}

export interface ResourceRequirements {
  readonly cpu: number | null;
  readonly memoryInGB: number | null;
  readonly gpu: number | null;
}

/** What a client gives to make a model; the version is counted here. */
export type NewModel = Omit<Model, "id" | "workspaceId" | "version" | "derivedModelIds" | "createdAt" | "modifiedAt">;

/** Uploaded files under a name, made before the model that is made of them. */
export interface Asset {
  /** 32 hex digits */
  readonly id: string;
  readonly workspaceId: string;
  readonly name: string;
  readonly artifacts: readonly AssetPart[];
  readonly createdAt: string;
}

/** All files at or below a prefix, or one file. Both are `origin/container/path`. */
export type AssetPart = { readonly prefix: string } | { readonly id: string };

/** One file of a model. `path` is what v1 shows below `azureml-models/<name>/<version>/`: the parent of the asset's prefix is stripped. */
export interface ModelFile {
  readonly path: string;
  readonly digest: string;
  readonly sizeBytes: number;
}

/** What other rooms ask of models. */
export interface ModelReader {
  /** @throws {AppError} ModelNotFound */
  get(workspaceId: string, id: string): Promise<Model>;
  /** Sorted by path; safe to write below any folder. @throws {AppError} ModelFilesConflict, and what artifacts throw */
  files(model: Model): Promise<ModelFile[]>;
}

/** Who uses a model, in words ("image myimage:1"): a model in use is not deleted. The rooms above supply it. */
export type ModelUsers = (workspaceId: string, modelId: string) => Promise<readonly string[]>;

export const ASSET_URI = "aml://asset/";
const MODEL_ID = /^([A-Za-z0-9._-]{1,255}):([1-9]\d{0,8})$/;

/** `name:version` apart; undefined for anything else. */
export function parseModelId(id: string): { readonly name: string; readonly version: number } | undefined {
  const [, name, version] = MODEL_ID.exec(id) ?? [];
  return name === undefined || version === undefined ? undefined : { name, version: Number(version) };
}
