import { text } from "node:stream/consumers";
import type { Command } from "commander";
import { CliError } from "./cli-error.ts";

export interface LoginOptions {
  readonly username?: string;
  readonly passwordStdin?: boolean;
}

/** For commands that make the server go to a registry elsewhere. */
export function loginOptions(command: Command): Command {
  return command
    .option("-u, --username <name>", "user of that registry (or SLIPWAY_REGISTRY_USERNAME)")
    .option("--password-stdin", "read its password from standard input (or SLIPWAY_REGISTRY_PASSWORD)");
}

/** A password never stands in the arguments, where other users of the machine see it. Without a user it goes without. */
export async function readLogin({ username: given, passwordStdin }: LoginOptions) {
  const username = given ?? process.env.SLIPWAY_REGISTRY_USERNAME;
  if (!username) return {};
  const password = passwordStdin
    ? (await text(process.stdin)).replace(/\r?\n$/, "")
    : process.env.SLIPWAY_REGISTRY_PASSWORD;
  if (password) return { username, password };
  const message = "A user name needs a password: give --password-stdin, or set SLIPWAY_REGISTRY_PASSWORD.";
  throw new CliError("PasswordMissing", "usage", message);
}
