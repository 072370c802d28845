import { AppError } from "../platform/errors.ts";
import type { WorkspaceName } from "./workspace.ts";

export const workspaceNotFound = (name: WorkspaceName) =>
  new AppError({
    code: "ResourceNotFound",
    kind: "notFound",
    message: `There is no workspace ${name.name} in resource group ${name.resourceGroup} of subscription ${name.subscriptionId}. \`slipway workspace list\` shows all; \`slipway exec\` creates the one that config.json names.`,
  });

export const workspaceNameInvalid = (field: string, value: string, rule: string) =>
  new AppError({
    code: "WorkspaceNameInvalid",
    kind: "invalid",
    message: `"${value.slice(0, 80)}" cannot be the ${field} of a workspace: ${rule}.`,
  });
