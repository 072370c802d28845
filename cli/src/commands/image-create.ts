import { Command, Option } from "commander";
import { collect, collectTag } from "../options.ts";
import { openSession, type SessionOptions, sessionOptions } from "../session.ts";
import { describeImage } from "../terminal/show-image.ts";

interface CreateOptions extends SessionOptions {
  readonly model: readonly string[];
  readonly script?: string;
  readonly conda?: string;
  readonly dependency?: readonly string[];
  readonly description?: string;
  readonly architecture?: string;
  readonly baseImage?: string;
  readonly tag?: Readonly<Record<string, string>>;
}

export function createCommand(): Command {
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
    .addOption(
      new Option("--architecture <name>", "what it will run on, if not on the server's own machine").choices([
        "amd64",
        "arm64",
      ]),
    )
    .option("--base-image <reference>", "what it stands on, instead of the server's own choice")
    .option("-t, --tag <key=value>", "may be repeated", collectTag)
    .addHelpText(
      "after",
      `
Examples:
  slipway image create digits --model digits:1 --script score.py --conda environment.yml
  slipway image create squeezenet --model squeezenet.onnx
  slipway image create digits --model digits:1 --script score.py --architecture arm64`,
    )
    .action(async (name: string, options: CreateOptions) => {
      const { buildImage } = await import("../deploy/build-image.ts");
      const session = await openSession(options);
      const image = await buildImage(session, { ...options, name, models: options.model, tags: options.tag });
      session.output.result(image, () => describeImage(image));
    });
}
