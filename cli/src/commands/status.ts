import { X509Certificate } from "node:crypto";
import { Command } from "commander";
import { openSession, type SessionOptions, sessionOptions } from "../session.ts";
import { colors } from "../terminal/colors.ts";
import { operationHeadings, operationRow } from "../terminal/show-operation.ts";
import { serviceHeadings, serviceRow } from "../terminal/show-service.ts";
import { table } from "../terminal/table.ts";

const OPERATIONS_SHOWN = 5;

export function statusCommand(): Command {
  return sessionOptions(new Command("status").description("what runs: server, services, latest operations"))
    .addHelpText(
      "after",
      `
Examples:
  slipway status
  slipway status --output json | jq '.services[] | select(.state != "Healthy")'`,
    )
    .action(async (options: SessionOptions) => {
      const { client, connection, output, signal } = await openSession(options);
      const [services, models, images, operations] = await Promise.all([
        client.services.list({ signal }),
        client.models.list({ signal }),
        client.images.list({ signal }),
        client.operations.list({ signal }),
      ]);
      const latest = operations.slice(0, OPERATIONS_SHOWN);
      const { url, workspace } = client;
      // What `slipway login` on another machine asks to compare.
      const caFingerprint = connection.ca === undefined ? undefined : new X509Certificate(connection.ca).fingerprint256;
      const value = {
        url,
        caFingerprint,
        workspace,
        models: models.length,
        images: images.length,
        services,
        operations: latest,
      };
      output.result(value, () => {
        const counts = `${models.length} models, ${images.length} images, ${services.length} services`;
        const parts = [`${colors.bold(url)}  workspace ${workspace.name}  ${colors.dim(counts)}`];
        if (caFingerprint !== undefined) parts.push(colors.dim(`CA ${caFingerprint}`));
        if (services.length > 0) parts.push("", table(serviceHeadings, services.map(serviceRow)));
        if (latest.length > 0) parts.push("", table(operationHeadings, latest.map(operationRow)));
        return parts.join("\n");
      });
    });
}
