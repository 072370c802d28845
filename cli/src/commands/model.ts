import type { Model } from "@slipway/client";
import { Command } from "commander";
import { checkAssetId, collectTag } from "../options.ts";
import { openSession, type SessionOptions, sessionOptions } from "../session.ts";
import { age, byteSize, duration, printable, tagList } from "../terminal/format.ts";
import { facts, table } from "../terminal/table.ts";

interface RegisterOptions extends SessionOptions {
  readonly name?: string;
  readonly description?: string;
  readonly tag?: Readonly<Record<string, string>>;
  readonly property?: Readonly<Record<string, string>>;
  readonly framework?: string;
  readonly frameworkVersion?: string;
  readonly sampleInput?: string;
}

interface ListOptions extends SessionOptions {
  readonly name?: string;
  readonly tag?: Readonly<Record<string, string>>;
  readonly latest?: boolean;
}

export function modelCommand(): Command {
  return new Command("model")
    .description("registered models: name + version + files")
    .addCommand(registerCommand())
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(downloadCommand())
    .addCommand(deleteCommand());
}

function registerCommand(): Command {
  return sessionOptions(new Command("register").description("upload a file or folder as the next version of a model"))
    .argument("<path>", "model file, or folder with all its files")
    .option("-n, --name <name>", "name of the model (default: the file's name without its ending)")
    .option("--description <text>")
    .option("-t, --tag <key=value>", "may be repeated", collectTag)
    .option("--property <key=value>", "as a tag, but never changed later; may be repeated", collectTag)
    .option("--framework <name>", "ScikitLearn, Onnx, TensorFlow, ... (.onnx files: Onnx)")
    .option("--framework-version <version>")
    .option(
      "--sample-input <json>",
      "a request body, or @FILE; new revisions are tried with it before they get traffic",
    )
    .addHelpText(
      "after",
      `
Examples:
  slipway model register digits-1.pkl --name digits
  slipway model register exported/ --name digits --framework TensorFlow --tag data=mnist`,
    )
    .action(async (path: string, options: RegisterOptions) => {
      const { registerModel } = await import("../deploy/register-model.ts");
      const session = await openSession(options);
      const started = Date.now();
      const { model, bytes } = await registerModel(session, {
        path,
        name: options.name,
        description: options.description,
        tags: options.tag,
        properties: options.property,
        framework: options.framework,
        frameworkVersion: options.frameworkVersion,
        sampleInput: options.sampleInput,
      });
      session.output.result(
        model,
        () => `Registered ${model.id} (${byteSize(bytes)} in ${duration(Date.now() - started)}).`,
      );
    });
}

function listCommand(): Command {
  return sessionOptions(new Command("list").description("models, newest first"))
    .option("-n, --name <name>", "versions of this model only")
    .option("-t, --tag <key=value>", "only with this tag; KEY alone asks for any value; may be repeated", collectTag)
    .option("--latest", "only the newest version of each name")
    .addHelpText(
      "after",
      "\nExamples:\n  slipway model list --latest\n  slipway model list --name digits --tag data=mnist",
    )
    .action(async (options: ListOptions) => {
      const { client, output, signal } = await openSession(options);
      const { name, tag: tags, latest: latestVersionOnly } = options;
      const models = await client.models.list({ name, tags, latestVersionOnly, signal });
      output.result(models, () =>
        table(
          ["MODEL", "FRAMEWORK", "AGE", "TAGS"],
          models.map((model) => [
            model.id,
            printable(model.framework),
            age(model.createdTime, Date.now()),
            printable(tagList(model.kvTags)),
          ]),
        ),
      );
    });
}

function showCommand(): Command {
  return sessionOptions(new Command("show").description("one model"))
    .argument("<model>", "NAME:VERSION, or NAME for the newest")
    .addHelpText("after", "\nExample:\n  slipway model show digits:2")
    .action(async (text: string, options: SessionOptions) => {
      const { findModel } = await import("../deploy/register-model.ts");
      const session = await openSession(options);
      const model = await findModel(session, text);
      session.output.result(model, () => describeModel(model));
    });
}

function downloadCommand(): Command {
  return sessionOptions(new Command("download").description("write the files of a model into a folder"))
    .argument("<model>", "NAME:VERSION, or NAME for the newest")
    .option("--to <folder>", "made if it is missing", ".")
    .addHelpText("after", "\nExample:\n  slipway model download digits:2 --to restored/")
    .action(async (text: string, options: SessionOptions & { readonly to: string }) => {
      const { findModel } = await import("../deploy/register-model.ts");
      const { downloadModel } = await import("../files/download-model.ts");
      const session = await openSession(options);
      const model = await findModel(session, text);
      const files = await downloadModel(session.client, model.id, options.to, session.signal);
      session.output.result({ model: model.id, files }, () => files.join("\n"));
    });
}

function deleteCommand(): Command {
  return sessionOptions(new Command("delete").description("delete one version of a model"))
    .argument("<model>", "NAME:VERSION")
    .addHelpText(
      "after",
      "\nA model that an image uses is kept; the answer names the images. One that is not there counts as deleted.\n\nExample:\n  slipway model delete digits:1",
    )
    .action(async (id: string, options: SessionOptions) => {
      checkAssetId("model", id);
      const { client, output, signal } = await openSession(options);
      const existed = await client.models.delete(id, { signal });
      output.result({ deleted: id }, () => (existed ? `Deleted model ${id}.` : `There was no model ${id}.`));
    });
}

function describeModel(model: Model): string {
  return facts([
    ["Model", model.id],
    ["Framework", [model.framework, model.frameworkVersion].filter(Boolean).map(String).map(printable).join(" ")],
    ["Description", model.description === null ? undefined : printable(model.description)],
    ["Tags", printable(tagList(model.kvTags))],
    ["Properties", printable(tagList(model.properties))],
    ["Created", model.createdTime],
  ]);
}
