/** What the server answers (wire contract, sections 3 to 11). There is more on the wire; these are the fields to rely on. */
import type {
  NewServicePrincipal,
  ServicePrincipal,
  WireAsset,
  ContainerRegistry as WireContainerRegistry,
  WireImage,
  WireImageChange,
  WireImageComparison,
  WireImageContents,
  WireImageLayer,
  WireImageProof,
  WireModel,
  WireOperation,
  RegistryCredentials as WireRegistryCredentials,
  WireService,
} from "@slipway/api";

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

export type Model = WireModel;

export type Asset = WireAsset;

export type Image = WireImage;

/** What a built image consists of. */
export type ImageContents = WireImageContents;

export type ImageLayer = WireImageLayer;

/** How one image differs from another. */
export type ImageComparison = WireImageComparison;

export type ImageChange = WireImageChange;

/** A document that lies beside an image in the registry. */
export type ImageProof = WireImageProof;

export type Operation = WireOperation;

/** The members beside the common part are those of a container instance. */
export type Service = WireService & {
  readonly authEnabled?: boolean;
  /** there unless it is one fixed replica; 0 while the service sleeps */
  readonly numReplicas?: number;
  readonly autoScaler?: {
    readonly autoscaleEnabled: boolean;
    readonly minReplicas: number;
    readonly maxReplicas: number;
    readonly idleSeconds: number;
  };
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

export type ContainerRegistry = WireContainerRegistry;

/** User name and passwords for image clients. */
export type RegistryCredentials = WireRegistryCredentials;
