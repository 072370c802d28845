import type { Http } from "./http.ts";
import { type Started, startedOperation } from "./operations.ts";
import type { ContainerRegistry, RegistryCredentials } from "./wire.ts";
import type { WorkspaceAddress, WorkspaceName } from "./workspace-address.ts";

type CallOptions = { readonly signal?: AbortSignal | undefined };

export interface CollectionOptions extends CallOptions {
  /** only say what would go */
  readonly dryRun?: boolean | undefined;
  /** what was used within so many hours stays; 24 if not given, 1 at least */
  readonly graceHours?: number | undefined;
  /** manifests without a tag stay so many days; 7 if not given */
  readonly untaggedDays?: number | undefined;
}

export type Registry = ReturnType<typeof createRegistry>;

const API_VERSION = "2025-04-01";

/** The workspace's registry, which image clients push to and pull from. */
export function createRegistry(http: Http, workspace: WorkspaceName, address: WorkspaceAddress) {
  const [subscription, group, name] = [workspace.subscriptionId, workspace.resourceGroup, workspace.name].map(
    encodeURIComponent,
  );
  const url = `${http.baseUrl}/subscriptions/${subscription}/resourceGroups/${group}/providers/Microsoft.ContainerRegistry/registries/${name}`;
  const query = { "api-version": API_VERSION };

  return {
    async get(options: CallOptions = {}): Promise<ContainerRegistry> {
      return http.json<ContainerRegistry>("GET", url, { query, ...options });
    },

    /** User name and passwords of the admin user. @throws {SlipwayError} RegistryAdminUserDisabled */
    async credentials(options: CallOptions = {}): Promise<RegistryCredentials> {
      return http.json<RegistryCredentials>("POST", `${url}/listCredentials`, { query, ...options });
    },

    /** Gives one of the two passwords a new value; the old one signs in no more. @throws {SlipwayError} RegistryAdminUserDisabled */
    async renewPassword(password: "password" | "password2", options: CallOptions = {}): Promise<RegistryCredentials> {
      const body = { name: password };
      return http.json<RegistryCredentials>("POST", `${url}/regenerateCredential`, { query, body, ...options });
    },

    /** Without an admin user nobody pushes or pulls from outside; services run all the same. */
    async setAdminUser(enabled: boolean, options: CallOptions = {}): Promise<ContainerRegistry> {
      const body = { properties: { adminUserEnabled: enabled } };
      return http.json<ContainerRegistry>("PATCH", url, { query, body, ...options });
    },

    /** Begins to remove what nothing uses, of the whole installation. */
    async collectGarbage(options: CollectionOptions = {}): Promise<Started> {
      const { signal, ...body } = options;
      return startedOperation(await http.send("POST", `${address.slipway}/registry/collections`, { body, signal }));
    },
  };
}
