/** Media types of the OCI image specification. Layers of models and environments are stored as they are, so plain tar. */
export const mediaTypes = {
  manifest: "application/vnd.oci.image.manifest.v1+json",
  index: "application/vnd.oci.image.index.v1+json",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  dockerManifestList: "application/vnd.docker.distribution.manifest.list.v2+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar",
  layerGzip: "application/vnd.oci.image.layer.v1.tar+gzip",
  empty: "application/vnd.oci.empty.v1+json",
} as const;

/** How a manifest names one of its parts (OCI image specification, "Content descriptors"). */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  /** of a manifest that is an artifact */
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/**
 * Where the bytes of a layer come from. Only `blob` is stored; the others are made again from their files on every read, so
 * that a model of 1 GiB is on the disk once.
 */
export type LayerSource =
  | { readonly type: "blob" }
  /** stored blobs under given names */
  | { readonly type: "files"; readonly files: readonly LayerFile[] }
  /** files of a folder on this machine; the stored listing says which, so files that come later change nothing */
  | { readonly type: "tree"; readonly root: string; readonly at: string; readonly listing: string };

export interface LayerFile {
  /** relative path in the image's file system */
  readonly name: string;
  readonly digest: string;
  readonly sizeBytes: number;
}

export interface Layer {
  readonly digest: string;
  /** digest of the uncompressed tar */
  readonly diffId: string;
  readonly mediaType: string;
  readonly sizeBytes: number;
  readonly source: LayerSource;
}

/** The tags and manifests under one name; `name` has no workspace in it and may have several components, `team/digits`. */
export interface Repository {
  readonly workspaceId: string;
  readonly name: string;
}

const COMPONENT = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*";
const REPOSITORY = new RegExp(`^${COMPONENT}$`);
/** OCI distribution specification, "Pulling manifests". */
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;
const DIGEST = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

export const isRepositoryPath = (path: string) =>
  path.length <= 255 && path.split("/").every((component) => REPOSITORY.test(component));
export const isTag = (text: string) => TAG.test(text);
export const isDigest = (text: string) => DIGEST.test(text);

/**
 * The workspace's part of a repository path. Registries know lower case only and no doubled separators; workspaces whose names
 * then look alike are told apart by their credentials.
 */
export function registryNamespace(workspaceName: string): string {
  return workspaceName
    .toLowerCase()
    .replaceAll(/[_-]{2,}/g, "-")
    .replace(/[_-]+$/, "");
}

/** `HOST:PORT/WORKSPACE/NAME:TAG`, the address that `docker pull` takes. */
export function imageLocation(registryHost: string, workspaceName: string, name: string, tag: string): string {
  return `${registryHost}/${registryNamespace(workspaceName)}/${name}:${tag}`;
}
