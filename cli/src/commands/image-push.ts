import { text } from "node:stream/consumers";
import { Command } from "commander";
import { CliError } from "../cli-error.ts";
import { openSession, type SessionOptions, sessionOptions } from "../session.ts";
import { printable } from "../terminal/format.ts";

interface PushOptions extends SessionOptions {
  readonly username?: string;
  readonly passwordStdin?: boolean;
}

export function pushCommand(): Command {
  return sessionOptions(new Command("push").description("copy an image into a registry elsewhere"))
    .argument("<image>", "NAME:VERSION, or NAME for the newest")
    .argument("<reference>", "HOST[:PORT]/NAME[:TAG] in the other registry")
    .option("-u, --username <name>", "user of that registry (or SLIPWAY_REGISTRY_USERNAME)")
    .option("--password-stdin", "read its password from standard input (or SLIPWAY_REGISTRY_PASSWORD)")
    .addHelpText(
      "after",
      `
The server pushes, not this machine: it must reach the registry. Layers that are there are not sent again.

Examples:
  slipway image push digits:1 registry.example.org/team/digits:1
  pass show registry | slipway image push digits:1 registry.example.org/team/digits:1 -u ada --password-stdin`,
    )
    .action(async (name: string, reference: string, options: PushOptions) => {
      const { findImage } = await import("../deploy/build-image.ts");
      const { waitFor } = await import("../deploy/wait-for.ts");
      const login = await readLogin(options);
      const session = await openSession(options);
      const { client, output, progress, signal } = session;
      const { id } = await findImage(session, name);
      await progress.step(`Push image ${id}`, async (step) => {
        const { operationId } = await client.images.push(id, { reference, ...login, signal });
        await waitFor(session, operationId, step);
      });
      output.result({ image: id, pushed: reference }, () => `Pushed ${id} to ${printable(reference)}.`);
    });
}

async function readLogin({ username: given, passwordStdin }: PushOptions) {
  const username = given ?? process.env.SLIPWAY_REGISTRY_USERNAME;
  if (!username) return {};
  const password = passwordStdin
    ? (await text(process.stdin)).replace(/\r?\n$/, "")
    : process.env.SLIPWAY_REGISTRY_PASSWORD;
  if (password) return { username, password };
  const message = "A user name needs a password: give --password-stdin, or set SLIPWAY_REGISTRY_PASSWORD.";
  throw new CliError("PasswordMissing", "usage", message);
}
