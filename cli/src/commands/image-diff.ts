import { Command } from "commander";
import { openSession, type SessionOptions, sessionOptions } from "../session.ts";
import { describeComparison, describePatches } from "../terminal/show-comparison.ts";

export function diffCommand(): Command {
  return sessionOptions(new Command("diff").description("how one image differs from another"))
    .argument("<from>", "NAME:VERSION, or NAME for the newest")
    .argument("<to>", "NAME:VERSION, or NAME for the newest")
    .option("--code", "with the differences inside text files, as a patch")
    .addHelpText(
      "after",
      "\nExamples:\n  slipway image diff digits:1 digits:2\n  slipway image diff digits:1 digits --code",
    )
    .action(async (from: string, to: string, options: SessionOptions & { readonly code?: boolean }) => {
      const { findImage } = await import("../deploy/build-image.ts");
      const { codePatches } = await import("../files/code-patches.ts");
      const { client, output, signal } = await openSession(options);
      const [one, other] = [await findImage({ client, signal }, from), await findImage({ client, signal }, to)];
      const comparison = await client.images.compare(one.id, other.id, { signal });
      if (options.code !== true) return output.result(comparison, () => describeComparison(comparison));
      const patches = await codePatches({ client, signal }, comparison);
      output.result({ ...comparison, patches }, () =>
        [describeComparison(comparison), ...describePatches(patches)].join("\n\n"),
      );
    });
}
