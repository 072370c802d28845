/** What the server answers (wire contract, sections 3 to 11). There is more on the wire; these are the fields to rely on. */
type Tags = Readonly<Record<string, string>>;

export interface Workspace {
  readonly id: string;
  readonly name: string;
  readonly location: string;
  readonly tags: Tags;
  readonly properties: {
    readonly workspaceId: string;
    readonly friendlyName: string;
    readonly creationTime: string;
    readonly discoveryUrl: string;
    readonly containerRegistry: string;
  };
}

export interface Model {
  readonly id: string;
  readonly name: string;
  readonly version: number;
  readonly framework: string;
  readonly frameworkVersion: string | null;
  readonly url: string;
  readonly description: string | null;
  readonly createdTime: string;
  readonly modifiedTime: string;
  readonly kvTags: Tags;
  readonly properties: Tags;
}

export interface Asset {
  readonly id: string;
  readonly name: string;
  readonly artifacts: readonly { readonly id?: string; readonly prefix?: string }[];
}

export type WorkState = "NotStarted" | "Running" | "Succeeded" | "Failed" | "Cancelled" | "TimedOut";

export interface WireFailure {
  readonly code: string;
  readonly statusCode?: number;
  readonly message: string;
  readonly details?: readonly { readonly code: string; readonly message: string }[];
}

export interface Image {
  readonly id: string;
  readonly name: string;
  readonly version: number;
  readonly description: string | null;
  readonly createdTime: string;
  readonly kvTags: Tags;
  readonly properties: Tags;
  readonly imageType: string;
  readonly imageFlavor: string;
  readonly creationState: WorkState;
  readonly error: WireFailure | null;
  readonly modelIds: readonly string[];
  readonly imageLocation: string | null;
  readonly imageBuildLogUri: string | null;
  readonly generatedDockerFileUri: string | null;
}

export interface Operation {
  readonly id: string;
  readonly operationType: string;
  readonly state: WorkState;
  readonly createdTime: string;
  readonly endTime: string | null;
  readonly resourceLocation: string | null;
  readonly streamingOperationLog?: string;
  readonly error: WireFailure | null;
}

export type ServiceState = "Transitioning" | "Healthy" | "Unhealthy" | "Failed";

export interface Service {
  readonly name: string;
  readonly description: string | null;
  readonly kvTags: Tags;
  readonly properties: Tags;
  readonly operationId?: string;
  readonly state: ServiceState;
  readonly createdTime: string;
  readonly updatedTime?: string;
  readonly error: WireFailure | null;
  readonly computeType: string;
  readonly imageId?: string;
  readonly scoringUri: string | null;
  readonly authEnabled?: boolean;
  readonly containerResourceRequirements?: { readonly cpu: number | null; readonly memoryInGB: number | null };
}

export interface ServiceKeys {
  readonly primaryKey: string;
  readonly secondaryKey: string;
}

export interface AccessEntry {
  readonly clientId: string;
  readonly name: string;
  readonly createdAt: string;
}

/** The secret is shown once, when the entry is made. */
export interface NewAccessEntry extends AccessEntry {
  readonly secret: string;
}
