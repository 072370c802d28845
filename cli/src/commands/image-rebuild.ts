import { Command } from "commander";
import { openSession, type SessionOptions, sessionOptions } from "../session.ts";
import { describeComparison } from "../terminal/show-comparison.ts";
import { describeImage } from "../terminal/show-image.ts";

export function rebuildCommand(): Command {
  return sessionOptions(
    new Command("rebuild").description("the next version from the same inputs, on today's base image"),
  )
    .argument("<image>", "NAME:VERSION, or NAME for the newest")
    .option("--upgrade", "resolve the packages anew instead of keeping the lock")
    .addHelpText(
      "after",
      `
Models, code and conda file are those of the image, whatever was registered since.

Examples:
  slipway image rebuild digits:1
  slipway image rebuild digits --upgrade && slipway service update digits --image digits`,
    )
    .action(async (text: string, options: SessionOptions & { readonly upgrade?: boolean }) => {
      const { findImage } = await import("../deploy/build-image.ts");
      const { waitFor } = await import("../deploy/wait-for.ts");
      const session = await openSession(options);
      const { client, output, progress, signal } = session;
      const before = await findImage(session, text);
      const imageId = await progress.step(`Rebuild image ${before.id}`, async (step) => {
        const started = await client.images.rebuild(before.id, { upgrade: options.upgrade, signal });
        await waitFor(session, started.operationId, step);
        return started.imageId;
      });
      const image = await client.images.get(imageId, { signal });
      const comparison =
        before.creationState === "Succeeded" ? await client.images.compare(before.id, imageId, { signal }) : null;
      output.result({ ...image, comparison }, () =>
        [describeImage(image), ...(comparison === null ? [] : [describeComparison(comparison)])].join("\n\n"),
      );
    });
}
