/** What owns everything else; named by subscription, resource group and name. */
export interface Workspace {
  /** UUID; the wire's `workspaceId` */
  readonly id: string;
  readonly subscriptionId: string;
  readonly resourceGroup: string;
  readonly name: string;
  readonly createdAt: string;
}

/** The workspace that exists from the first start. */
export const defaultWorkspaceName = {
  subscriptionId: "00000000-0000-0000-0000-000000000000",
  resourceGroup: "slipway",
  name: "default",
} as const;

export type WorkspaceName = Pick<Workspace, "subscriptionId" | "resourceGroup" | "name">;

/** `/subscriptions/…/workspaces/NAME`, the resource id on the wire. */
export function workspaceResourceId(workspace: WorkspaceName): string {
  return `/subscriptions/${workspace.subscriptionId}/resourceGroups/${workspace.resourceGroup}/providers/Microsoft.MachineLearningServices/workspaces/${workspace.name}`;
}

export function isDefaultWorkspace(workspace: WorkspaceName): boolean {
  return (
    workspace.subscriptionId === defaultWorkspaceName.subscriptionId &&
    workspace.resourceGroup === defaultWorkspaceName.resourceGroup &&
    workspace.name === defaultWorkspaceName.name
  );
}
