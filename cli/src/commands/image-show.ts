import { isSlipwayError } from "@slipway/client";
import { Command } from "commander";
import { openSession, type SessionOptions, sessionOptions } from "../session.ts";
import { describeContents, describeImage } from "../terminal/show-image.ts";

export function showCommand(): Command {
  return sessionOptions(
    new Command("show").description("one image: its layers, its largest packages, what proves them"),
  )
    .argument("<image>", "NAME:VERSION, or NAME for the newest")
    .option("--dockerfile", "the Dockerfile that makes the same image")
    .addHelpText("after", "\nExamples:\n  slipway image show digits:1\n  slipway image show digits --dockerfile")
    .action(async (text: string, options: SessionOptions & { readonly dockerfile?: boolean }) => {
      const { findImage } = await import("../deploy/build-image.ts");
      const { client, output, signal } = await openSession(options);
      const image = await findImage({ client, signal }, text);
      if (options.dockerfile === true) {
        const dockerfile = await client.images.dockerfile(image.id, { signal });
        return output.result({ image: image.id, dockerfile }, () => dockerfile);
      }
      const contents = await client.images.contents(image.id, { signal }).catch((error: unknown) => {
        if (isSlipwayError(error) && error.code === "ImageNotBuilt") return null;
        throw error;
      });
      output.result({ ...image, contents }, () =>
        [describeImage(image), ...(contents === null ? [] : [describeContents(contents, image)])].join("\n\n"),
      );
    });
}
