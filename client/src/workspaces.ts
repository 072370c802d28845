import type { Http } from "./http.ts";
import type { Workspace } from "./wire.ts";
import { type WorkspaceAddress, type WorkspaceName, workspaceAddress } from "./workspace-address.ts";

type CallOptions = { readonly signal?: AbortSignal | undefined };

export type Workspaces = ReturnType<typeof createWorkspaces>;

const API_VERSION = "2022-05-01";
const FILTER = "resourceType eq 'Microsoft.MachineLearningServices/workspaces'";

export function createWorkspaces(http: Http, current: WorkspaceAddress) {
  const query = { "api-version": API_VERSION };

  return {
    /** All workspaces of all subscriptions, by name. */
    async list(options: CallOptions = {}): Promise<WorkspaceName[]> {
      const subscriptions = await http.json<{ value: { subscriptionId: string }[] }>(
        "GET",
        `${http.baseUrl}/subscriptions`,
        { query, ...options },
      );
      const found: WorkspaceName[] = [];
      for (const { subscriptionId } of subscriptions.value) {
        const page = await http.json<{ value: { id: string }[] }>(
          "GET",
          `${http.baseUrl}/subscriptions/${encodeURIComponent(subscriptionId)}/resources`,
          { query: { ...query, $filter: FILTER }, ...options },
        );
        found.push(...page.value.map((item) => nameOf(item.id)));
      }
      return found;
    },

    /** Makes it if it is missing. */
    async create(name: WorkspaceName, options: CallOptions = {}): Promise<Workspace> {
      const { resourceManager } = workspaceAddress(http.baseUrl, name);
      return http.json<Workspace>("PUT", resourceManager, { query, body: { location: "local" }, ...options });
    },

    /** One workspace; without a name, the one this client works in. @throws {SlipwayError} ResourceNotFound */
    async get(name?: WorkspaceName, options: CallOptions = {}): Promise<Workspace> {
      const address = name === undefined ? current : workspaceAddress(http.baseUrl, name);
      return http.json<Workspace>("GET", address.resourceManager, { query, ...options });
    },
  };
}

/** `/subscriptions/S/resourceGroups/G/providers/…/workspaces/N` */
function nameOf(resourceId: string): WorkspaceName {
  const parts = resourceId.split("/");
  return { subscriptionId: parts[2] ?? "", resourceGroup: parts[4] ?? "", name: parts.at(-1) ?? "" };
}
