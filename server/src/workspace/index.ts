export { isDefaultWorkspace, type Workspace, type WorkspaceName, workspaceResourceId } from "./workspace.ts";
export {
  discoveryRoutes,
  type RegistryCredentials,
  resourceManagerRoutes,
  workspaceRoutes,
} from "./workspace-routes.ts";
export { findWorkspaceFromPath, WORKSPACE_PATH, workspaceOf } from "./workspace-scope.ts";
export { createWorkspaceService, type WorkspaceService } from "./workspace-service.ts";
export { type WorkspaceTables, workspaceMigration } from "./workspace-tables.ts";
