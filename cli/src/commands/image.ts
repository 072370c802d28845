import type { Image } from "@slipway/client";
import { Command } from "commander";
import { collect, collectTag } from "../options.ts";
import { openSession, type SessionOptions, sessionOptions } from "../session.ts";
import { age, printable, tagList } from "../terminal/format.ts";
import { stateWord } from "../terminal/state-word.ts";
import { facts, table } from "../terminal/table.ts";

interface CreateOptions extends SessionOptions {
  readonly model: readonly string[];
  readonly script?: string;
  readonly conda?: string;
  readonly dependency?: readonly string[];
  readonly description?: string;
  readonly tag?: Readonly<Record<string, string>>;
}

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
    .addCommand(logsCommand())
    .addCommand(deleteCommand());
}

function createCommand(): Command {
  return sessionOptions(new Command("create").description("build the next version of an image"))
    .argument("<name>", "name of the image")
    .requiredOption(
      "-m, --model <model>",
      "file or folder (registered if it is new), NAME=FILE, NAME:VERSION or NAME; may be repeated",
      collect,
    )
    .option("-s, --script <file>", "the file with init() and run(); an ONNX model needs none")
    .option("-c, --conda <file>", "conda file with Python and packages")
    .option("--dependency <path>", "file or folder that goes beside the script; may be repeated", collect)
    .option("--description <text>")
    .option("-t, --tag <key=value>", "may be repeated", collectTag)
    .addHelpText(
      "after",
      `
Examples:
  slipway image create digits --model digits:1 --script score.py --conda environment.yml
  slipway image create squeezenet --model squeezenet.onnx`,
    )
    .action(async (name: string, options: CreateOptions) => {
      const { buildImage } = await import("../deploy/build-image.ts");
      const session = await openSession(options);
      const image = await buildImage(session, { ...options, name, models: options.model, tags: options.tag });
      session.output.result(image, () => describeImage(image));
    });
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

function showCommand(): Command {
  return sessionOptions(new Command("show").description("one image"))
    .argument("<image>", "NAME:VERSION, or NAME for the newest")
    .option("--dockerfile", "the Dockerfile that makes the same image")
    .addHelpText("after", "\nExamples:\n  slipway image show digits:1\n  slipway image show digits --dockerfile")
    .action(async (text: string, options: SessionOptions & { readonly dockerfile?: boolean }) => {
      const { findImage } = await import("../deploy/build-image.ts");
      const { client, output, signal } = await openSession(options);
      const image = await findImage({ client, signal }, text);
      if (options.dockerfile !== true) return output.result(image, () => describeImage(image));
      const dockerfile = await client.images.dockerfile(image.id, { signal });
      output.result({ image: image.id, dockerfile }, () => dockerfile);
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
      const { client, output, signal } = await openSession(options);
      await client.images.delete(id, { signal });
      output.result({ deleted: id }, () => `Deleted image ${id}.`);
    });
}

function describeImage(image: Image): string {
  return facts([
    ["Image", image.id],
    ["State", stateWord(image.creationState)],
    ["Error", image.error === null ? undefined : `${printable(image.error.message)} (${image.error.code})`],
    ["Models", image.modelIds.join(" ")],
    ["Location", image.imageLocation === null ? undefined : printable(image.imageLocation)],
    ["Description", image.description === null ? undefined : printable(image.description)],
    ["Tags", printable(tagList(image.kvTags))],
    ["Created", image.createdTime],
  ]);
}
