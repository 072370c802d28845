/** A registered model: name + version + files + tags. Immutable but for tags, properties, description and samples. */
export interface Model {
  /** `name:version` */
  readonly id: string;
  readonly workspaceId: string;
  readonly name: string;
  readonly version: number;
  /** Custom, ScikitLearn, Onnx, TensorFlow, Multi … as the client says; Custom if it says nothing */
  readonly framework: string;
  readonly frameworkVersion: string | null;
  readonly description: string | null;
  readonly tags: Readonly<Record<string, string>>;
  readonly properties: Readonly<Record<string, string>>;
  /** `aml://asset/<id>` */
  readonly url: string;
  readonly mimeType: string;
  readonly unpack: boolean;
  readonly experimentName: string | null;
  readonly runId: string | null;
  readonly parentModelId: string | null;
  readonly sampleInputData: unknown;
  readonly sampleOutputData: unknown;
  readonly resourceRequirements: {
    readonly cpu: number | null;
    readonly memoryInGB: number | null;
    readonly gpu: number | null;
  } | null;
  readonly datasets: readonly unknown[];
  readonly createdAt: string;
  readonly modifiedAt: string;
}

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
  files(model: Model): Promise<ModelFile[]>;
}

/** Who uses a model, in words ("image myimage:1"): a model in use is not deleted. The rooms above supply it. */
export type ModelUsers = (workspaceId: string, modelId: string) => Promise<readonly string[]>;
