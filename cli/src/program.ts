import { Command, Help, type Option } from "commander";
import { accessCommand } from "./commands/access.ts";
import { envCommand } from "./commands/env.ts";
import { execCommand } from "./commands/exec.ts";
import { imageCommand } from "./commands/image.ts";
import { loginCommand } from "./commands/login.ts";
import { modelCommand } from "./commands/model.ts";
import { operationCommand } from "./commands/operation.ts";
import { registryCommand } from "./commands/registry.ts";
import { restartCommand } from "./commands/restart.ts";
import { serviceCommand } from "./commands/service.ts";
import { statusCommand } from "./commands/status.ts";
import { upCommand } from "./commands/up.ts";
import { workspaceCommand } from "./commands/workspace.ts";

/** Every command of `slipway`, in the order of the help. */
const groups: readonly (readonly [heading: string, commands: readonly (() => Command)[]])[] = [
  ["Server:", [upCommand, restartCommand, statusCommand]],
  ["From model to service:", [modelCommand, imageCommand, serviceCommand, operationCommand]],
  ["Scripts for Azure ML SDK v1:", [execCommand, envCommand]],
  ["Workspaces and access:", [workspaceCommand, accessCommand, registryCommand, loginCommand]],
];

export function createProgram(version: string): Command {
  const program = new Command("slipway")
    .description("From a trained model to a running web service, on your own machines.")
    .version(version, "-V, --version")
    .helpCommand(false)
    .showSuggestionAfterError()
    .addHelpText(
      "after",
      `
Exit codes:
  0  done
  1  the work was accepted and failed (a build, a deployment, score.py)
  2  the command line is wrong
  3  the server refused: not found, not valid, in use, not allowed
  4  no server answers, or it does not know you
  130  interrupted

Try:
  slipway up
  slipway service deploy digits --model digits.pkl --script score.py --conda environment.yml`,
    );
  for (const [heading, commands] of groups) {
    program.commandsGroup(heading);
    for (const command of commands) program.addCommand(command());
  }
  settle(program);
  return program;
}

/** Settings that added commands do not inherit. The exit code is decided in one place, `main.ts`. */
function settle(command: Command): void {
  command.exitOverride().helpCommand(false).configureHelp({ groupItems: ownOptionsFirst });
  for (const child of command.commands) settle(child);
}

/** What a command is about comes before what all commands have. */
function ownOptionsFirst<Item extends Command | Option>(
  this: void,
  unsorted: Item[],
  visible: Item[],
  groupOf: (item: Item) => string,
): Map<string, Item[]> {
  const groups = new Help().groupItems(unsorted, visible, groupOf);
  for (const heading of ["Output:", "Connection:"]) {
    const items = groups.get(heading);
    if (items === undefined) continue;
    groups.delete(heading);
    groups.set(heading, items);
  }
  return groups;
}
