import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { defaultWorkspace, type WorkspaceName } from "@slipway/client";
import { CliError } from "./cli-error.ts";
import { connect } from "./connect.ts";
import { type ConnectionOptions, findConnection } from "./connection.ts";
import { type GenuineSignIn, genuineClientEnvironment } from "./genuine-client.ts";
import { readWorkspace } from "./session.ts";
import { findWorkspaceConfig, writeWorkspaceConfig } from "./workspace-config.ts";

export interface ClientEnvironmentOptions extends ConnectionOptions {
  readonly workspace?: string;
  /** false: a workspace that config.json names but the server does not have is an error */
  readonly create: boolean;
}

export interface ClientEnvironment {
  readonly variables: Readonly<Record<string, string>>;
  /** what a person should know: a workspace or a file was made */
  readonly notices: readonly string[];
}

/** Everything that a script for Azure ML SDK v1 needs to talk to the server, for `slipway exec` and `slipway env`. */
export async function clientEnvironment(
  options: ClientEnvironmentOptions,
  cwd: string,
  env: NodeJS.ProcessEnv,
): Promise<ClientEnvironment> {
  const connection = await findConnection(options, env);
  const { credential } = connection;
  if ("token" in credential) {
    throw new CliError(
      "TokenNotUsable",
      "usage",
      "The old client signs in by itself: it needs the data folder of a server on this machine (--data), or a login with a service principal (`slipway login URL`), not a token.",
    );
  }
  const signIn: GenuineSignIn =
    "tokenUrl" in credential
      ? { kind: "identity", tokenUrl: credential.tokenUrl }
      : { kind: "principal", ...credential };
  const folder =
    connection.caFile === undefined
      ? join(homedir(), ".config", "slipway", "client")
      : join(dirname(connection.caFile), "..", "client");
  const variables = await genuineClientEnvironment({
    url: connection.url,
    caPem: connection.ca ?? "",
    signIn,
    folder,
    env,
  });

  const notices: string[] = [];
  const config = await findWorkspaceConfig(cwd);
  const workspace = config ?? readWorkspace(options.workspace) ?? defaultWorkspace;
  const { workspaces } = connect(connection);
  const found = (await workspaces.list()).some((item) => sameWorkspace(item, workspace));
  if (!found) {
    if (!options.create) {
      throw new CliError(
        "WorkspaceMissing",
        "refused",
        `The server has no workspace ${workspace.name}${config ? `, which ${config.file} names` : ""}. Leave out --no-create to make it.`,
      );
    }
    await workspaces.create(workspace);
    notices.push(`Created the workspace ${workspace.name}${config ? ` that ${config.file} names` : ""}.`);
  }
  if (config === undefined) {
    notices.push(`Wrote ${await writeWorkspaceConfig(cwd, workspace)}, which names the workspace ${workspace.name}.`);
  }
  return { variables, notices };
}

function sameWorkspace(left: WorkspaceName, right: WorkspaceName): boolean {
  const key = (name: WorkspaceName) => [name.subscriptionId, name.resourceGroup, name.name].join("/").toLowerCase();
  return key(left) === key(right);
}
