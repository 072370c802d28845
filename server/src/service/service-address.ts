import { isDefaultWorkspace, type Workspace } from "../workspace/index.ts";

export interface ServiceAddress {
  /** path of the service at the gateway, no trailing slash */
  readonly basePath: string;
  readonly scoringUri: string;
}

export type ServiceAddresses = (workspaceId: string, name: string) => Promise<ServiceAddress>;

/**
 * `/api/v1/service/NAME` in the default workspace, `/w/WORKSPACE/api/v1/service/NAME` in others. Workspaces of one name may
 * exist in several resource groups: the oldest keeps the plain name, the others get the beginning of their id behind it.
 */
export function createServiceAddresses(
  workspaces: { list(): Promise<readonly Workspace[]> },
  gatewayUrl: string,
): ServiceAddresses {
  return async (workspaceId, name) => {
    const all = await workspaces.list();
    const workspace = all.find(({ id }) => id === workspaceId);
    if (workspace === undefined) throw new Error(`There is no workspace ${workspaceId}.`);
    const basePath = `${workspacePath(workspace, all)}/api/v1/service/${name}`;
    return { basePath, scoringUri: `${gatewayUrl}${basePath}/score` };
  };
}

/** The scoring address under a host name of the service's own; the gateway's port stays. */
export function underHost(scoringUri: string, host: string): string {
  const url = new URL(scoringUri);
  url.hostname = host;
  return url.href;
}

function workspacePath(workspace: Workspace, all: readonly Workspace[]): string {
  if (isDefaultWorkspace(workspace)) return "";
  const oldest = all.find((other) => !isDefaultWorkspace(other) && other.name === workspace.name);
  return oldest?.id === workspace.id ? `/w/${workspace.name}` : `/w/${workspace.name}-${workspace.id.slice(0, 8)}`;
}
