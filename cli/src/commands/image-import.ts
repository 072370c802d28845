import { Command, Option } from "commander";
import { type LoginOptions, loginOptions, readLogin } from "../registry-login.ts";
import { openSession, type SessionOptions, sessionOptions } from "../session.ts";
import { describeImage } from "../terminal/show-image.ts";

interface ImportOptions extends SessionOptions, LoginOptions {
  readonly name?: string;
  readonly architecture?: "amd64" | "arm64";
}

export function importCommand(): Command {
  return sessionOptions(
    loginOptions(new Command("import").description("take an image that Slipway built out of a registry elsewhere")),
  )
    .argument("<reference>", "HOST[:PORT]/NAME[:TAG] or HOST[:PORT]/NAME@sha256:… in the other registry")
    .option("-n, --name <name>", "what it is called here, if not as there")
    .addOption(
      new Option("--architecture <name>", "of an image for several, if not the server's own").choices([
        "amd64",
        "arm64",
      ]),
    )
    .addHelpText(
      "after",
      `
The server fetches it, not this machine: it must reach the registry. Every byte is checked; layers that are there are not fetched again.
The image becomes the next version of its name, has the digest that it has there, and is deployed as if it had been built here.

Examples:
  slipway image import registry.example.org/team/digits:1
  pass show registry | slipway image import registry.example.org/team/digits:1 --name digits-eu -u ada --password-stdin`,
    )
    .action(async (reference: string, options: ImportOptions) => {
      const { waitFor } = await import("../deploy/wait-for.ts");
      const login = await readLogin(options);
      const session = await openSession(options);
      const { client, output, progress, signal } = session;
      const { name, architecture } = options;
      const imageId = await progress.step("Import the image", async (step) => {
        const started = await client.images.import({ reference, name, architecture, ...login, signal });
        await waitFor(session, started.operationId, step);
        return started.imageId;
      });
      const image = await client.images.get(imageId, { signal });
      output.result(image, () => describeImage(image));
    });
}
