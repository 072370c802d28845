import { Type } from "typebox";
import type { HttpApp } from "../platform/http/app.ts";
import { type Workspace, workspaceResourceId } from "./workspace.ts";
import { workspaceOf } from "./workspace-scope.ts";
import type { WorkspaceService } from "./workspace-service.ts";

export interface RegistryCredentials {
  readonly username: string;
  /** the current one, and the one before or after it */
  readonly passwords: readonly [string, string];
}

export interface WorkspaceDependencies {
  readonly workspaces: WorkspaceService;
  readonly publicUrl: string;
  readonly tenantId: string;
  /** undefined when its registry has no user */
  registryCredentials(workspace: Workspace): Promise<RegistryCredentials | undefined>;
}

const SubscriptionPath = "/subscriptions/:subscriptionId";
const GroupPath = `${SubscriptionPath}/resourceGroups/:resourceGroup`;
const provider = "Microsoft.MachineLearningServices/workspaces";
const SubscriptionParams = Type.Object({ subscriptionId: Type.String() });
const GroupParams = Type.Object({ subscriptionId: Type.String(), resourceGroup: Type.String() });
const WorkspaceParams = Type.Object({ ...GroupParams.properties, workspaceName: Type.String() });

/** What the resource manager answers outside of one workspace (wire contract 2.6 and 3). */
export function resourceManagerRoutes(app: HttpApp, deps: WorkspaceDependencies): void {
  const { workspaces } = deps;
  const sameText = (left: string, right: string) => left.toLowerCase() === right.toLowerCase();

  app.get("/subscriptions", async () => {
    const ids = new Set((await workspaces.list()).map((workspace) => workspace.subscriptionId));
    return {
      value: [...ids].map((subscriptionId) => ({
        id: `/subscriptions/${subscriptionId}`,
        subscriptionId,
        tenantId: deps.tenantId,
        displayName: "Slipway",
        state: "Enabled",
        subscriptionPolicies: { spendingLimit: "Off" },
      })),
    };
  });

  app.get(`${SubscriptionPath}/resources`, { schema: { params: SubscriptionParams } }, async (request) => {
    const own = (await workspaces.list()).filter((item) =>
      sameText(item.subscriptionId, request.params.subscriptionId),
    );
    return {
      value: own.map((item) => ({
        id: workspaceResourceId(item),
        name: item.name,
        type: provider,
        location: "local",
        tags: {},
      })),
    };
  });

  app.get(`${GroupPath}/providers/${provider}`, { schema: { params: GroupParams } }, async (request) => {
    const { subscriptionId, resourceGroup } = request.params;
    const own = (await workspaces.list()).filter(
      (item) => sameText(item.subscriptionId, subscriptionId) && sameText(item.resourceGroup, resourceGroup),
    );
    return { value: own.map((item) => toWireWorkspace(item, deps)), nextLink: null };
  });

  app.put(
    `${GroupPath}/providers/${provider}/:workspaceName`,
    { schema: { params: WorkspaceParams } },
    async (request) => {
      const { subscriptionId, resourceGroup, workspaceName } = request.params;
      return toWireWorkspace(await workspaces.ensure({ subscriptionId, resourceGroup, name: workspaceName }), deps);
    },
  );
}

/** What the resource manager answers inside a workspace; `app` is a workspace scope. */
export function workspaceRoutes(app: HttpApp, deps: WorkspaceDependencies): void {
  app.get("/", async (request) => toWireWorkspace(workspaceOf(request), deps));

  app.post("/listKeys", async (request) => {
    const workspace = workspaceOf(request);
    const registry = await deps.registryCredentials(workspace);
    return {
      userStorageKey: "",
      userStorageResourceId: related(workspace, "Microsoft.Storage/storageAccounts"),
      appInsightsInstrumentationKey: "",
      containerRegistryCredentials:
        registry === undefined
          ? null
          : {
              location: new URL(deps.publicUrl).host,
              username: registry.username,
              passwords: namedPasswords(registry.passwords),
            },
      notebookAccessKeys: null,
    };
  });
}

/** Service discovery (wire contract, section 4): asked without a token. One address serves every area. */
export function discoveryRoutes(app: HttpApp, deps: Pick<WorkspaceDependencies, "publicUrl">): void {
  const areas = [
    "api",
    "catalog",
    "experimentation",
    "history",
    "gallery",
    "pipelines",
    "modelmanagement",
    "hyperdrive",
    "studio",
    "notebooks",
  ];
  app.get("/discovery/workspaces/:workspaceId", async () =>
    Object.fromEntries(areas.map((area) => [area, deps.publicUrl])),
  );
}

function toWireWorkspace(workspace: Workspace, deps: Pick<WorkspaceDependencies, "publicUrl" | "tenantId">) {
  return {
    id: workspaceResourceId(workspace),
    name: workspace.name,
    type: provider,
    location: "local",
    tags: {},
    identity: { type: "SystemAssigned", principalId: workspace.id, tenantId: deps.tenantId },
    sku: { name: "Basic", tier: "Basic" },
    properties: {
      workspaceId: workspace.id,
      friendlyName: workspace.name,
      description: "",
      creationTime: workspace.createdAt,
      provisioningState: "Succeeded",
      discoveryUrl: `${deps.publicUrl}/discovery/workspaces/${workspace.id}`,
      containerRegistry: related(workspace, "Microsoft.ContainerRegistry/registries"),
      storageAccount: related(workspace, "Microsoft.Storage/storageAccounts"),
      keyVault: related(workspace, "Microsoft.KeyVault/vaults"),
      applicationInsights: related(workspace, "Microsoft.Insights/components"),
      sdkTelemetryAppInsightsKey: "",
    },
  };
}

/** Slipway's own storage, registry and so on have the workspace's name; scripts take the last segment. */
function related(workspace: Workspace, kind: string): string {
  return `/subscriptions/${workspace.subscriptionId}/resourceGroups/${workspace.resourceGroup}/providers/${kind}/${workspace.name}`;
}

function namedPasswords(passwords: readonly [string, string]) {
  return [
    { name: "password", value: passwords[0] },
    { name: "password2", value: passwords[1] },
  ];
}
