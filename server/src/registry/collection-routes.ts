import { StartCollection } from "@slipway/api";
import type { OperationRunner } from "../operation/index.ts";
import type { HttpApp } from "../platform/http/app.ts";
import { type Workspace, workspaceOf } from "../workspace/index.ts";
import { defaultRules } from "./collect-garbage.ts";
import { collect } from "./collection-schedule.ts";

export interface CollectionRouteDependencies {
  readonly runner: Pick<OperationRunner, "enqueue" | "wake">;
  operationUrl(workspace: Workspace, id: string): string;
}

/** Slipway's own area, for `slipway registry gc`; `app` is a workspace scope. */
export function collectionRoutes(app: HttpApp, deps: CollectionRouteDependencies): void {
  app.post("/registry/collections", { schema: { body: StartCollection } }, async (request, reply) => {
    const workspace = workspaceOf(request);
    const { dryRun = false, ...rules } = request.body;
    const id = await collect(deps.runner, workspace.id, { ...defaultRules, ...rules, dryRun });
    return reply.code(202).header("Operation-Location", deps.operationUrl(workspace, id)).send();
  });
}
