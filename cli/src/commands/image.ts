import { Command } from "commander";
import { checkAssetId, collectTag } from "../options.ts";
import { openSession, type SessionOptions, sessionOptions } from "../session.ts";
import { age, printable, tagList } from "../terminal/format.ts";
import { stateWord } from "../terminal/state-word.ts";
import { table } from "../terminal/table.ts";
import { createCommand } from "./image-create.ts";
import { diffCommand } from "./image-diff.ts";
import { importCommand } from "./image-import.ts";
import { proofsCommand } from "./image-proofs.ts";
import { pushCommand } from "./image-push.ts";
import { rebuildCommand } from "./image-rebuild.ts";
import { showCommand } from "./image-show.ts";

interface ListOptions extends SessionOptions {
  readonly name?: string;
  readonly tag?: Readonly<Record<string, string>>;
}

export function imageCommand(): Command {
  return new Command("image")
    .description("images: model + script + environment, ready to run")
    .addCommand(createCommand())
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(diffCommand())
    .addCommand(rebuildCommand())
    .addCommand(proofsCommand())
    .addCommand(pushCommand())
    .addCommand(importCommand())
    .addCommand(logsCommand())
    .addCommand(deleteCommand());
}

function listCommand(): Command {
  return sessionOptions(new Command("list").description("images, newest first"))
    .option("-n, --name <name>", "versions of this image only")
    .option("-t, --tag <key=value>", "only with this tag; may be repeated", collectTag)
    .addHelpText("after", "\nExample:\n  slipway image list --name digits")
    .action(async (options: ListOptions) => {
      const { client, output, signal } = await openSession(options);
      const images = await client.images.list({ name: options.name, tags: options.tag, signal });
      output.result(images, () =>
        table(
          ["IMAGE", "STATE", "MODELS", "AGE", "TAGS"],
          images.map((image) => [
            image.id,
            stateWord(image.creationState),
            image.modelIds.join(" "),
            age(image.createdTime, Date.now()),
            printable(tagList(image.kvTags)),
          ]),
        ),
      );
    });
}

function logsCommand(): Command {
  return sessionOptions(new Command("logs").description("the build log of an image"))
    .argument("<image>", "NAME:VERSION, or NAME for the newest")
    .addHelpText("after", "\nExample:\n  slipway image logs digits:1")
    .action(async (text: string, options: SessionOptions) => {
      const { findImage } = await import("../deploy/build-image.ts");
      const { client, output, signal } = await openSession(options);
      const image = await findImage({ client, signal }, text);
      const content = await client.images.buildLog(image.id, { signal });
      output.result({ image: image.id, content }, () => content);
    });
}

function deleteCommand(): Command {
  return sessionOptions(new Command("delete").description("delete one version of an image"))
    .argument("<image>", "NAME:VERSION")
    .addHelpText(
      "after",
      "\nAn image that a service uses is kept; the answer names the services.\n\nExample:\n  slipway image delete digits:1",
    )
    .action(async (id: string, options: SessionOptions) => {
      checkAssetId("image", id);
      const { client, output, signal } = await openSession(options);
      await client.images.delete(id, { signal });
      output.result({ deleted: id }, () => `Deleted image ${id}.`);
    });
}
