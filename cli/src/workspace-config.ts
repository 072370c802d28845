import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { WorkspaceName } from "@slipway/client";
import { CliError } from "./cli-error.ts";

/** The workspace that a file of the old client names. */
export interface WorkspaceConfig extends WorkspaceName {
  readonly file: string;
}

/** The workspace file that the client would find from this folder, upwards; undefined when there is none. */
export async function findWorkspaceConfig(from: string): Promise<WorkspaceConfig | undefined> {
  for (let folder = resolve(from); ; folder = dirname(folder)) {
    for (const name of [".azureml/config.json", "config.json", "aml_config/config.json"]) {
      const found = await readWorkspaceConfig(join(folder, name));
      if (found !== undefined) return found;
    }
    if (folder === dirname(folder)) return undefined;
  }
}

async function readWorkspaceConfig(file: string): Promise<WorkspaceConfig | undefined> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch {
    return undefined;
  }
  let fields: Record<string, unknown>;
  try {
    fields = JSON.parse(text) as Record<string, unknown>;
  } catch (error) {
    throw invalid(file, `it is not JSON: ${(error as Error).message}`);
  }
  const field = (name: string): string => {
    const value = fields[name];
    if (typeof value !== "string" || value === "") throw invalid(file, `it has no "${name}"`);
    return value;
  };
  // Another program's config.json is not the client's.
  if (!("subscription_id" in fields) && !("workspace_name" in fields)) return undefined;
  return {
    file,
    subscriptionId: field("subscription_id"),
    resourceGroup: field("resource_group"),
    name: field("workspace_name"),
  };
}

/** Writes the workspace file that `Workspace.from_config()` looks for. */
export async function writeWorkspaceConfig(folder: string, workspace: WorkspaceName): Promise<string> {
  const file = join(folder, ".azureml", "config.json");
  await mkdir(dirname(file), { recursive: true });
  const fields = {
    subscription_id: workspace.subscriptionId,
    resource_group: workspace.resourceGroup,
    workspace_name: workspace.name,
  };
  await writeFile(file, `${JSON.stringify(fields, undefined, 2)}\n`, { flag: "wx" });
  return file;
}

function invalid(file: string, reason: string): CliError {
  return new CliError(
    "WorkspaceFileInvalid",
    "usage",
    `${file} cannot be used: ${reason}. It needs subscription_id, resource_group and workspace_name.`,
  );
}
