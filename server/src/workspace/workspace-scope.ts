import type { FastifyRequest } from "fastify";
import type { HttpApp } from "../platform/http/app.ts";
import type { Workspace, WorkspaceName } from "./workspace.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** set inside a workspace scope, undefined elsewhere */
    workspaceScope: Workspace | undefined;
  }
}

/** The workspace of a request that came in through {@link workspaceScope}. */
export function workspaceOf(request: FastifyRequest): Workspace {
  if (request.workspaceScope === undefined) throw new Error(`${request.url} is not inside a workspace.`);
  return request.workspaceScope;
}

export const WORKSPACE_PATH =
  "/subscriptions/:subscriptionId/resourceGroups/:resourceGroup/providers/Microsoft.MachineLearningServices/workspaces/:workspaceName";

/** Lets a scope's routes find their workspace from the path. `find` throws WorkspaceNotFound. */
export function findWorkspaceFromPath(app: HttpApp, find: (name: WorkspaceName) => Promise<Workspace>): void {
  if (!app.hasRequestDecorator("workspaceScope")) app.decorateRequest("workspaceScope", undefined);
  app.addHook("preHandler", async (request) => {
    const { subscriptionId, resourceGroup, workspaceName } = request.params as Record<string, string>;
    request.workspaceScope = await find({
      subscriptionId: subscriptionId ?? "",
      resourceGroup: resourceGroup ?? "",
      name: workspaceName ?? "",
    });
  });
}
