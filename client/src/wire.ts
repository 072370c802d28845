/** What the server answers (wire contract, sections 3 to 11). There is more on the wire; these are the fields to rely on. */
import type { NewServicePrincipal, OperationState, ServicePrincipal, WireOperation, WireService } from "@slipway/api";

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
  readonly creationState: OperationState;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly modelIds: readonly string[];
  readonly imageLocation: string | null;
  readonly imageBuildLogUri: string | null;
  readonly generatedDockerFileUri: string | null;
}

export type Operation = WireOperation;

/** The members beside the common part are those of a container instance. */
export type Service = WireService & {
  readonly authEnabled?: boolean;
  readonly containerResourceRequirements?: { readonly cpu: number | null; readonly memoryInGB: number | null };
};

export interface ServiceKeys {
  readonly primaryKey: string;
  readonly secondaryKey: string;
}

/** A service principal. */
export type AccessEntry = ServicePrincipal;

/** The secret is shown once, when the entry is made. */
export type NewAccessEntry = NewServicePrincipal;
