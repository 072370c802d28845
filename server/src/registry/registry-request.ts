import type { Log } from "../platform/log.ts";
import type { BlobUploads } from "./blob-uploads.ts";
import type { Repository } from "./registry.ts";
import type { Registry } from "./registry-service.ts";

export interface RegistryDependencies {
  readonly registry: Registry;
  readonly uploads: BlobUploads;
  readonly log: Log;
  /**
   * Checks registry credentials.
   *
   * @param namespace first part of the repository path (`registryNamespace(workspace.name)`); undefined when any workspace will do
   * @returns the workspace that has this namespace and these credentials
   */
  verify(
    namespace: string | undefined,
    username: string,
    password: string,
  ): Promise<{ readonly workspaceId: string; readonly namespace: string } | undefined>;
  /** In words, what Slipway itself keeps under this tag (`image digits:3`): clients may pull it, but not change it. */
  ownerOf(repository: Repository, tag: string): Promise<string | undefined>;
}

/** Where a request works: the repository, and its path as clients write it. */
export interface Place {
  readonly repository: Repository;
  readonly namespace: string;
  /** namespace and name */
  readonly path: string;
}
