import { parseWorkspaceName, type SlipwayClient, type WorkspaceName } from "@slipway/client";
import { type Command, Option } from "commander";
import { CliError } from "./cli-error.ts";
import { connect } from "./connect.ts";
import { type Connection, type ConnectionOptions, findConnection } from "./connection.ts";
import { interruptSignal } from "./interrupt.ts";
import { createOutput, type Output } from "./terminal/output.ts";
import { createProgress, type Progress } from "./terminal/progress.ts";

/** The options that every command which talks to the server has. */
export interface SessionOptions extends ConnectionOptions {
  readonly workspace?: string;
  readonly output: "text" | "json";
}

/** What a command works with. */
export interface Session {
  readonly client: SlipwayClient;
  readonly connection: Connection;
  readonly output: Output;
  readonly progress: Progress;
  /** fires on Ctrl-C */
  readonly signal: AbortSignal;
}

export function sessionOptions(command: Command): Command {
  return command
    .optionsGroup("Output:")
    .addOption(new Option("-o, --output <form>", "form of the result").choices(["text", "json"]).default("text"))
    .optionsGroup("Connection:")
    .option("--workspace <name>", "NAME, or SUBSCRIPTION/GROUP/NAME (default: the first workspace)")
    .option("--data <folder>", "data folder of a server on this machine (default: ~/.slipway, or SLIPWAY_DATA)")
    .option("--url <address>", "address of a server elsewhere (or SLIPWAY_URL)")
    .option("--ca <file>", "its certificate authority, PEM (or SLIPWAY_CA)")
    .option("--token <token>", "a token for it (or SLIPWAY_TOKEN)")
    .optionsGroup("Options:");
}

export async function openSession(options: SessionOptions): Promise<Session> {
  const workspace = readWorkspace(options.workspace ?? (process.env.SLIPWAY_WORKSPACE || undefined));
  const connection = await findConnection(options, process.env);
  const output = createOutput(options.output === "json", process.stdout);
  return {
    client: connect(connection, workspace),
    connection,
    output,
    progress: createProgress(process.stderr, options.output === "json"),
    signal: interruptSignal(),
  };
}

/** The workspace that a person named. @throws {CliError} InvalidWorkspace */
export function readWorkspace(text: string | undefined): WorkspaceName | undefined {
  if (text === undefined) return undefined;
  const name = parseWorkspaceName(text);
  if (name !== undefined) return name;
  throw new CliError(
    "InvalidWorkspace",
    "usage",
    `${JSON.stringify(text)} names no workspace. Give NAME or SUBSCRIPTION/GROUP/NAME.`,
  );
}
