import { Command } from "commander";
import { openSession, type SessionOptions, sessionOptions } from "../session.ts";
import { colors } from "../terminal/colors.ts";
import { age, printable } from "../terminal/format.ts";
import { facts, table } from "../terminal/table.ts";

export function accessCommand(): Command {
  return new Command("access")
    .description("service principals: how programs and other machines sign in")
    .addCommand(createCommand())
    .addCommand(listCommand())
    .addCommand(revokeCommand());
}

function createCommand(): Command {
  return sessionOptions(new Command("create").description("make a service principal and show its secret, once"))
    .argument("<name>", "what it is for, in words")
    .addHelpText("after", "\nExample:\n  slipway access create ci --output json > principal.json")
    .action(async (name: string, options: SessionOptions) => {
      const { client, output, signal } = await openSession(options);
      const entry = await client.access.create(name, { signal });
      output.result(entry, () =>
        [
          facts([
            ["Name", printable(entry.name)],
            ["Tenant id", entry.tenantId],
            ["Client id", entry.clientId],
            ["Secret", entry.clientSecret],
          ]),
          colors.dim("The secret is not shown again."),
        ].join("\n"),
      );
    });
}

function listCommand(): Command {
  return sessionOptions(new Command("list").description("all service principals"))
    .addHelpText("after", "\nExample:\n  slipway access list")
    .action(async (options: SessionOptions) => {
      const { client, output, signal } = await openSession(options);
      const entries = await client.access.list({ signal });
      output.result(entries, () =>
        table(
          ["NAME", "CLIENT ID", "AGE"],
          entries.map((entry) => [printable(entry.name), entry.clientId, age(entry.createdAt, Date.now())]),
        ),
      );
    });
}

function revokeCommand(): Command {
  return sessionOptions(new Command("revoke").description("end a service principal: it signs in no more"))
    .argument("<client-id>", "as `slipway access list` shows it")
    .addHelpText("after", "\nExample:\n  slipway access revoke 6f0c2a8e-0f7c-4f0b-9f0e-1e6f1f0c9a55")
    .action(async (clientId: string, options: SessionOptions) => {
      const { client, output, signal } = await openSession(options);
      await client.access.revoke(clientId, { signal });
      output.result({ revoked: clientId }, () => `Revoked ${clientId}.`);
    });
}
