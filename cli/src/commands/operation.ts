import type { Operation } from "@slipway/client";
import { Command } from "commander";
import { openSession, type SessionOptions, sessionOptions } from "../session.ts";
import { describeOperation, operationHeadings, operationRow } from "../terminal/show-operation.ts";
import { table } from "../terminal/table.ts";

export function operationCommand(): Command {
  return new Command("operation")
    .description("long-running work: builds, deployments, updates, deletions")
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(waitCommand())
    .addCommand(cancelCommand());
}

function listCommand(): Command {
  return sessionOptions(new Command("list").description("the latest operations, newest first"))
    .addHelpText("after", "\nExample:\n  slipway operation list")
    .action(async (options: SessionOptions) => {
      const { client, output, signal } = await openSession(options);
      const operations = await client.operations.list({ signal });
      output.result(operations, () => table(operationHeadings, operations.map(operationRow)));
    });
}

function showCommand(): Command {
  return sessionOptions(new Command("show").description("one operation"))
    .argument("<id>", "id of the operation")
    .addHelpText("after", "\nExample:\n  slipway operation show 3abb2f98-5c0f-4c1e-9d7e-1d1f0f6a7c11")
    .action(async (id: string, options: SessionOptions) => {
      const { client, output, signal } = await openSession(options);
      const operation = await client.operations.get(id, { signal });
      output.result(operation, () => describeOperation(operation));
    });
}

function waitCommand(): Command {
  return sessionOptions(new Command("wait").description("wait until an operation ends, and show its log"))
    .argument("<id>", "id of the operation")
    .addHelpText(
      "after",
      "\nThe exit code is 0 if it succeeded and 1 if not.\n\nExample:\n  slipway operation wait 3abb2f98-5c0f-4c1e-9d7e-1d1f0f6a7c11",
    )
    .action(async (id: string, options: SessionOptions) => {
      const { waitFor } = await import("../deploy/wait-for.ts");
      const session = await openSession(options);
      const operation = await session.progress.step<Operation>(`Wait for ${id}`, (step) => waitFor(session, id, step));
      session.output.result(operation, () => describeOperation(operation));
    });
}

function cancelCommand(): Command {
  return sessionOptions(new Command("cancel").description("ask an operation to stop"))
    .argument("<id>", "id of the operation")
    .addHelpText(
      "after",
      "\nWhat serves keeps serving.\n\nExample:\n  slipway operation cancel 3abb2f98-5c0f-4c1e-9d7e-1d1f0f6a7c11",
    )
    .action(async (id: string, options: SessionOptions) => {
      const { client, output, signal } = await openSession(options);
      await client.operations.cancel(id, { signal });
      output.result({ cancelRequested: id }, () => `Asked ${id} to stop.`);
    });
}
