import { Command, Option } from "commander";
import { collectTag, inlineOrFile, positiveInteger } from "../options.ts";
import { openSession, type SessionOptions, sessionOptions } from "../session.ts";
import { describeService, serviceHeadings, serviceRow } from "../terminal/show-service.ts";
import { facts, table } from "../terminal/table.ts";
import { serviceDeployCommand, serviceUpdateCommand } from "./service-deploy.ts";

export function serviceCommand(): Command {
  return new Command("service")
    .description("services: images that answer requests")
    .addCommand(serviceDeployCommand())
    .addCommand(serviceUpdateCommand())
    .addCommand(runCommand())
    .addCommand(logsCommand())
    .addCommand(keysCommand())
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(deleteCommand());
}

function runCommand(): Command {
  return sessionOptions(new Command("run").description("send one request to a service and print the answer"))
    .argument("<name>", "name of the service")
    .argument("<body>", "request body; @FILE for a file, @/dev/stdin for standard input")
    .addHelpText(
      "after",
      `
Examples:
  slipway service run digits '{"data": [[0, 1, 2]]}'
  slipway service run digits @digit.json`,
    )
    .action(async (name: string, body: string, options: SessionOptions) => {
      const { client, output, signal } = await openSession(options);
      const answer = await client.services.score(name, await inlineOrFile(body), { signal });
      output.result(answer, () => (typeof answer === "string" ? answer : JSON.stringify(answer)));
    });
}

function logsCommand(): Command {
  return sessionOptions(new Command("logs").description("what score.py printed, and why a start failed"))
    .argument("<name>", "name of the service")
    .option("--tail <lines>", "at most so many, the newest", positiveInteger, 5_000)
    .addHelpText("after", "\nExample:\n  slipway service logs digits --tail 50")
    .action(async (name: string, options: SessionOptions & { readonly tail: number }) => {
      const { client, output, signal } = await openSession(options);
      const content = await client.services.logs(name, { tail: options.tail, signal });
      output.result({ service: name, content }, () => content);
    });
}

function keysCommand(): Command {
  return sessionOptions(new Command("keys").description("the two keys of a service; each opens it"))
    .argument("<name>", "name of the service")
    .addOption(
      new Option("--regenerate <key>", "make a new one; the other keeps working").choices(["primary", "secondary"]),
    )
    .addHelpText(
      "after",
      "\nExamples:\n  slipway service keys digits\n  slipway service keys digits --regenerate secondary",
    )
    .action(async (name: string, options: SessionOptions & { readonly regenerate?: "primary" | "secondary" }) => {
      const { client, output, signal } = await openSession(options);
      if (options.regenerate !== undefined) {
        const key = options.regenerate === "primary" ? "Primary" : "Secondary";
        const { operationId } = await client.services.regenerateKey(name, key, { signal });
        await client.operations.wait(operationId, { signal });
      }
      const keys = await client.services.keys(name, { signal });
      output.result(keys, () =>
        facts([
          ["Primary", keys.primaryKey],
          ["Secondary", keys.secondaryKey],
        ]),
      );
    });
}

function listCommand(): Command {
  return sessionOptions(new Command("list").description("services, newest first"))
    .option("--image <image>", "only those that run this image, NAME:VERSION")
    .option("--model <model>", "only those that run this model, NAME:VERSION")
    .option("-t, --tag <key=value>", "only with this tag; may be repeated", collectTag)
    .addHelpText("after", "\nExample:\n  slipway service list --model digits:2")
    .action(
      async (
        options: SessionOptions & {
          readonly image?: string;
          readonly model?: string;
          readonly tag?: Readonly<Record<string, string>>;
        },
      ) => {
        const { client, output, signal } = await openSession(options);
        const filter = { imageId: options.image, modelId: options.model, tags: options.tag, signal };
        const services = await client.services.list(filter);
        output.result(services, () => table(serviceHeadings, services.map(serviceRow)));
      },
    );
}

function showCommand(): Command {
  return sessionOptions(new Command("show").description("one service"))
    .argument("<name>", "name of the service")
    .addHelpText("after", "\nExample:\n  slipway service show digits")
    .action(async (name: string, options: SessionOptions) => {
      const { client, output, signal } = await openSession(options);
      const service = await client.services.get(name, { signal });
      output.result(service, () => describeService(service));
    });
}

function deleteCommand(): Command {
  return sessionOptions(new Command("delete").description("stop and remove a service; its image stays"))
    .argument("<name>", "name of the service")
    .addHelpText(
      "after",
      "\nA service that is not there counts as deleted.\n\nExample:\n  slipway service delete digits",
    )
    .action(async (name: string, options: SessionOptions) => {
      const { waitFor } = await import("../deploy/wait-for.ts");
      const session = await openSession(options);
      await session.progress.step(`Delete service ${name}`, async (step) => {
        const started = await session.client.services.delete(name, { signal: session.signal });
        if (started !== undefined) await waitFor(session, started.operationId, step);
      });
      session.output.result({ deleted: name }, () => "");
    });
}
