import { Command } from "commander";
import { type LoginOptions, loginOptions, readLogin } from "../registry-login.ts";
import { openSession, type SessionOptions, sessionOptions } from "../session.ts";
import { printable } from "../terminal/format.ts";

export function pushCommand(): Command {
  return sessionOptions(loginOptions(new Command("push").description("copy an image into a registry elsewhere")))
    .argument("<image>", "NAME:VERSION, or NAME for the newest")
    .argument("<reference>", "HOST[:PORT]/NAME[:TAG] in the other registry")
    .addHelpText(
      "after",
      `
The server pushes, not this machine: it must reach the registry. Layers that are there are not sent again.

Examples:
  slipway image push digits:1 registry.example.org/team/digits:1
  pass show registry | slipway image push digits:1 registry.example.org/team/digits:1 -u ada --password-stdin`,
    )
    .action(async (name: string, reference: string, options: SessionOptions & LoginOptions) => {
      const { findImage } = await import("../deploy/build-image.ts");
      const { waitFor } = await import("../deploy/wait-for.ts");
      const login = await readLogin(options);
      const session = await openSession(options);
      const { client, output, progress, signal } = session;
      const { id } = await findImage(session, name);
      await progress.step(`Push image ${id}`, async (step) => {
        const { operationId } = await client.images.push(id, { reference, ...login, signal });
        await waitFor(session, operationId, step);
      });
      output.result({ image: id, pushed: reference }, () => `Pushed ${id} to ${printable(reference)}.`);
    });
}
