import { parseWorkspaceName } from "@slipway/client";
import { Command } from "commander";
import { CliError } from "../cli-error.ts";
import { openSession, type SessionOptions, sessionOptions } from "../session.ts";
import { facts, table } from "../terminal/table.ts";

export function workspaceCommand(): Command {
  return new Command("workspace")
    .description("workspaces: what owns models, images and services")
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(createCommand());
}

function listCommand(): Command {
  return sessionOptions(new Command("list").description("all workspaces of the server"))
    .addHelpText("after", "\nExample:\n  slipway workspace list")
    .action(async (options: SessionOptions) => {
      const { client, output, signal } = await openSession(options);
      const workspaces = await client.workspaces.list({ signal });
      output.result(workspaces, () =>
        table(
          ["WORKSPACE", "RESOURCE GROUP", "SUBSCRIPTION"],
          workspaces.map((item) => [item.name, item.resourceGroup, item.subscriptionId]),
        ),
      );
    });
}

function showCommand(): Command {
  return sessionOptions(new Command("show").description("the workspace that commands work in"))
    .addHelpText("after", "\nExample:\n  slipway workspace show --workspace team-a")
    .action(async (options: SessionOptions) => {
      const { client, output, signal } = await openSession(options);
      const workspace = await client.workspaces.get(undefined, { signal });
      output.result(workspace, () =>
        facts([
          ["Workspace", workspace.name],
          ["Resource group", client.workspace.resourceGroup],
          ["Subscription", client.workspace.subscriptionId],
          ["Id", workspace.properties.workspaceId],
          ["Created", workspace.properties.creationTime],
        ]),
      );
    });
}

function createCommand(): Command {
  return sessionOptions(new Command("create").description("make a workspace, if it is missing"))
    .argument("<name>", "NAME, or SUBSCRIPTION/GROUP/NAME")
    .addHelpText("after", "\nExample:\n  slipway workspace create team-a")
    .action(async (text: string, options: SessionOptions) => {
      const name = parseWorkspaceName(text);
      if (name === undefined)
        throw new CliError("InvalidWorkspace", "usage", `${JSON.stringify(text)} names no workspace.`);
      const { client, output, signal } = await openSession(options);
      const workspace = await client.workspaces.create(name, { signal });
      output.result(workspace, () => `The workspace ${workspace.name} is there.`);
    });
}
