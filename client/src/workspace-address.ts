/** Names a workspace: three words, each as the genuine client's `config.json` has it. */
export interface WorkspaceName {
  readonly subscriptionId: string;
  readonly resourceGroup: string;
  readonly name: string;
}

/** The workspace that every installation has from its first start. */
export const defaultWorkspace: WorkspaceName = {
  subscriptionId: "00000000-0000-0000-0000-000000000000",
  resourceGroup: "slipway",
  name: "default",
};

/** Where the areas of one workspace live (wire contract, head). */
export interface WorkspaceAddress {
  readonly resourceId: string;
  readonly resourceManager: string;
  readonly modelManagement: string;
  readonly artifacts: string;
  /** what Azure ML never had */
  readonly slipway: string;
}

export function workspaceAddress(baseUrl: string, workspace: WorkspaceName): WorkspaceAddress {
  const [subscription, group, name] = [workspace.subscriptionId, workspace.resourceGroup, workspace.name].map(
    encodeURIComponent,
  );
  const resourceId = `/subscriptions/${subscription}/resourceGroups/${group}/providers/Microsoft.MachineLearningServices/workspaces/${name}`;
  return {
    resourceId,
    resourceManager: `${baseUrl}${resourceId}`,
    modelManagement: `${baseUrl}/modelmanagement/v1.0${resourceId}`,
    artifacts: `${baseUrl}/artifact/v2.0${resourceId}`,
    slipway: `${baseUrl}/slipway/v1${resourceId}`,
  };
}

/** `NAME`, in the default subscription and resource group, or `SUBSCRIPTION/GROUP/NAME`; undefined if it is neither. */
export function parseWorkspaceName(text: string): WorkspaceName | undefined {
  const parts = text.split("/");
  if (parts.some((part) => part === "")) return undefined;
  const [first, resourceGroup, name] = parts;
  if (parts.length === 1 && first !== undefined) return { ...defaultWorkspace, name: first };
  if (parts.length !== 3 || first === undefined || resourceGroup === undefined || name === undefined) return undefined;
  return { subscriptionId: first, resourceGroup, name };
}
