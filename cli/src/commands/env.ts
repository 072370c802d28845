import { Command } from "commander";
import { clientEnvironment } from "../client-environment.ts";
import { conflictingVariables } from "../genuine-client.ts";

interface EnvOptions {
  readonly data?: string;
  readonly workspace?: string;
  readonly create: boolean;
}

/** `slipway env`: the same as `slipway exec`, as lines for a shell. */
export function envCommand(): Command {
  return new Command("env")
    .description("print the environment for azureml-core as export lines")
    .option("--data <folder>", "data folder of a server on this machine (default: ~/.slipway, or SLIPWAY_DATA)")
    .option("--workspace <name>", "workspace for a folder without config.json: NAME, or SUBSCRIPTION/GROUP/NAME")
    .option("--no-create", "refuse to make a workspace that config.json names and the server does not have")
    .addHelpText(
      "after",
      `
Example:
  eval "$(slipway env)" && python deploy.py`,
    )
    .action(async (options: EnvOptions) => {
      const { variables, notices } = await clientEnvironment(options, process.cwd(), process.env);
      for (const notice of notices) process.stderr.write(`${notice}\n`);
      const exports = Object.entries(variables).map(([name, value]) => `export ${name}=${quote(value)}`);
      process.stdout.write(`${[...exports, `unset ${conflictingVariables.join(" ")}`].join("\n")}\n`);
    });
}

function quote(value: string): string {
  return `'${value.replaceAll("'", `'\\''`)}'`;
}
