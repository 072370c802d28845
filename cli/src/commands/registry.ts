import type { RegistryCredentials } from "@slipway/client";
import { Command, InvalidArgumentError, Option } from "commander";
import { openSession, type SessionOptions, sessionOptions } from "../session.ts";
import { colors } from "../terminal/colors.ts";
import { printable } from "../terminal/format.ts";
import { facts } from "../terminal/table.ts";

interface RenewOptions extends SessionOptions {
  readonly password: "password" | "password2";
}

interface CollectOptions extends SessionOptions {
  readonly dryRun?: boolean;
  readonly grace?: number;
  readonly untagged?: number;
}

export function registryCommand(): Command {
  return new Command("registry")
    .description("the built-in registry: who may push and pull, and cleaning up")
    .addCommand(credentialsCommand())
    .addCommand(collectCommand());
}

function credentialsCommand(): Command {
  return new Command("credentials")
    .description("the admin user of the workspace's registry")
    .addCommand(showCommand())
    .addCommand(renewCommand())
    .addCommand(switchCommand("disable", "switch the admin user off: nobody pushes or pulls from outside", false))
    .addCommand(switchCommand("enable", "switch the admin user on, with the passwords it had", true));
}

function showCommand(): Command {
  return sessionOptions(new Command("show").description("user name and passwords"))
    .addHelpText(
      "after",
      `
Examples:
  slipway registry credentials show
  slipway registry credentials show --output json | jq -r .passwords[0].value | docker login localhost:8443 -u default --password-stdin`,
    )
    .action(async (options: SessionOptions) => {
      const { client, output, signal } = await openSession(options);
      const [registry, credentials] = await Promise.all([
        client.registry.get({ signal }),
        client.registry.credentials({ signal }),
      ]);
      const { loginServer } = registry.properties;
      output.result({ loginServer, ...credentials }, () => describe(loginServer, credentials));
    });
}

function renewCommand(): Command {
  return sessionOptions(new Command("renew").description("give one of the two passwords a new value"))
    .addOption(
      new Option("--password <which>", "the other one keeps working meanwhile")
        .choices(["password", "password2"])
        .default("password"),
    )
    .addHelpText("after", "\nExample:\n  slipway registry credentials renew --password password2")
    .action(async (options: RenewOptions) => {
      const { client, output, signal } = await openSession(options);
      const credentials = await client.registry.renewPassword(options.password, { signal });
      const { loginServer } = (await client.registry.get({ signal })).properties;
      output.result({ loginServer, ...credentials }, () => describe(loginServer, credentials));
    });
}

function switchCommand(name: string, description: string, enabled: boolean): Command {
  return sessionOptions(new Command(name).description(description))
    .addHelpText("after", `\nServices run all the same.\n\nExample:\n  slipway registry credentials ${name}`)
    .action(async (options: SessionOptions) => {
      const { client, output, signal } = await openSession(options);
      const registry = await client.registry.setAdminUser(enabled, { signal });
      const { adminUserEnabled } = registry.properties;
      output.result({ registry: registry.name, adminUserEnabled }, () =>
        adminUserEnabled
          ? `The admin user of registry ${printable(registry.name)} is on.`
          : `The admin user of registry ${printable(registry.name)} is off.`,
      );
    });
}

function collectCommand(): Command {
  return sessionOptions(
    new Command("gc").description("delete blobs, layers, manifests and uploads that nothing uses any more"),
  )
    .option("--dry-run", "only say what would go")
    .option("--grace <hours>", "what was used within so many hours stays (default: 24)", number(1, 8_760))
    .option("--untagged <days>", "images without a tag stay for so many days (default: 7)", number(0, 3_650))
    .addHelpText(
      "after",
      "\nThis happens once a day by itself. It works on the whole server, whatever the workspace.\n\nExamples:\n  slipway registry gc --dry-run\n  slipway registry gc --grace 1",
    )
    .action(async (options: CollectOptions) => {
      const { waitFor } = await import("../deploy/wait-for.ts");
      const session = await openSession(options);
      const { client, output, progress, signal } = session;
      const { dryRun, grace: graceHours, untagged: untaggedDays } = options;
      const lines: string[] = [];
      const operation = await progress.step("Collect garbage", async (step) => {
        const { operationId } = await client.registry.collectGarbage({ dryRun, graceHours, untaggedDays, signal });
        const log = (text: string) => {
          lines.push(text);
          step.log(text);
        };
        return waitFor(session, operationId, { ...step, log });
      });
      output.result({ operation: operation.id, log: lines }, () => lines.at(-1) ?? "");
    });
}

function describe(loginServer: string, { username, passwords }: RegistryCredentials): string {
  return [
    facts([
      ["Server", loginServer],
      ["User", printable(username)],
      ...passwords.map(({ name, value }) => [name === "password" ? "Password" : "Password 2", value] as const),
    ]),
    colors.dim(`docker login ${loginServer} -u ${printable(username)}`),
  ].join("\n");
}

function number(least: number, most: number) {
  return (text: string): number => {
    const value = Number(text);
    if (text.trim() !== "" && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`A number from ${least} to ${most}.`);
  };
}
