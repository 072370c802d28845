import type { ImageProof } from "@slipway/client";
import { Command, Option } from "commander";
import { openSession, type SessionOptions, sessionOptions } from "../session.ts";
import { table } from "../terminal/table.ts";

export function proofsCommand(): Command {
  return sessionOptions(new Command("proofs").description("documents that prove what an image is made of"))
    .argument("<image>", "NAME:VERSION, or NAME for the newest")
    .addOption(
      new Option(
        "--type <type>",
        "print one: the packages with hashes, the bill of materials (CycloneDX), how it was built (SLSA)",
      ).choices(["lock", "sbom", "provenance"]),
    )
    .addHelpText(
      "after",
      `
They lie beside the image in the registry as OCI referrers; \`oras discover\` and the like find them there.

Examples:
  slipway image proofs digits:1
  slipway image proofs digits:1 --type sbom > sbom.cdx.json`,
    )
    .action(async (text: string, options: SessionOptions & { readonly type?: ImageProof["type"] }) => {
      const { findImage } = await import("../deploy/build-image.ts");
      const { client, output, signal } = await openSession(options);
      const { id } = await findImage({ client, signal }, text);
      const { type } = options;
      if (type !== undefined) {
        const document = await client.images.proof(id, type, { signal });
        return output.result({ image: id, type, document }, () => document);
      }
      const { proofs } = await client.images.contents(id, { signal });
      output.result(proofs, () =>
        table(
          ["TYPE", "KIND OF ARTIFACT", "DIGEST"],
          proofs.map((proof) => [proof.type, proof.artifactType, proof.digest]),
        ),
      );
    });
}
