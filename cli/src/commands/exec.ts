import { spawn } from "node:child_process";
import { constants } from "node:os";
import { Command } from "commander";
import { CliError } from "../cli-error.ts";
import { clientEnvironment } from "../client-environment.ts";
import { conflictingVariables } from "../genuine-client.ts";

interface ExecOptions {
  readonly data?: string;
  readonly workspace?: string;
  readonly create: boolean;
}

/** `slipway exec -- PROGRAM …`: the genuine client, unmodified, talks to this server. */
export function execCommand(): Command {
  return new Command("exec")
    .description("run a program that uses azureml-core against this server")
    .argument("<program...>", "the program and its arguments, after --")
    .option("--data <folder>", "data folder of a server on this machine (default: ~/.slipway, or SLIPWAY_DATA)")
    .option("--workspace <name>", "workspace for a folder without config.json: NAME, or SUBSCRIPTION/GROUP/NAME")
    .option("--no-create", "refuse to make a workspace that config.json names and the server does not have")
    .addHelpText(
      "after",
      `
Examples:
  slipway exec -- python deploy.py
  slipway exec --data /srv/slipway -- jupyter lab

The program gets environment variables only; the package is not changed. Its exit code is the exit code of this command.`,
    )
    .action(exec);
}

async function exec(command: readonly string[], options: ExecOptions): Promise<void> {
  const { variables, notices } = await clientEnvironment(options, process.cwd(), process.env);
  for (const notice of notices) process.stderr.write(`${notice}\n`);
  const env: NodeJS.ProcessEnv = { ...process.env, ...variables };
  for (const name of conflictingVariables) delete env[name];
  const [program = "", ...args] = command;
  const child = spawn(program, args, { stdio: "inherit", env });
  // The terminal sends Ctrl-C to the child as well; it decides what that means, and we report what it decided.
  const forward = (signal: NodeJS.Signals) => child.kill(signal);
  const ignore = () => {};
  process.on("SIGINT", ignore);
  process.on("SIGTERM", forward);
  process.exitCode = await new Promise<number>((resolve, reject) => {
    child.on("error", (error: NodeJS.ErrnoException) => {
      const why = error.code === "ENOENT" ? "there is no such program here or on the PATH" : error.message;
      reject(new CliError("ProgramNotStarted", "usage", `${program} could not be started: ${why}.`, error));
    });
    child.on("exit", (code, signal) => resolve(code ?? 128 + constants.signals[signal ?? "SIGTERM"]));
  });
  process.off("SIGINT", ignore);
  process.off("SIGTERM", forward);
}
