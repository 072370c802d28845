import { createHash } from "node:crypto";
import type { ProofFacts } from "./image-proof.ts";
import { components, imageComponent } from "./sbom-components.ts";

/** The bill of materials of an image: CycloneDX 1.6, as JSON. The same image gives the same bytes. */
export async function sbomOf(facts: ProofFacts): Promise<string> {
  // Loading it takes longer than writing a bill, and a server that builds nothing needs none.
  const library = await import("@cyclonedx/cyclonedx-library");
  const { Models, Enums, Serialize, Spec } = library;
  const image = imageComponent(library, facts);
  // References must differ, and the library makes up random ones for those that do not.
  const contents = [...new Map([...components(library, facts)].map((one) => [one.bomRef.value, one])).values()];
  for (const component of contents) image.dependencies.add(component.bomRef);
  const bom = new Models.Bom({
    serialNumber: `urn:uuid:${derivedUuid(`sbom:${facts.digest}`)}`,
    metadata: new Models.Metadata({
      component: image,
      tools: new Models.Tools({
        components: new Models.ComponentRepository([
          new Models.Component(Enums.ComponentType.Application, "slipway", {
            version: facts.slipway,
            bomRef: "tool:slipway",
          }),
        ]),
      }),
    }),
    components: new Models.ComponentRepository(contents),
  });
  const serializer = new Serialize.JsonSerializer(new Serialize.JSON.Normalize.Factory(Spec.Spec1dot6));
  // Its own sorting goes by the language of the machine.
  return `${serializer.serialize(bom, { sortLists: false, space: 1 })}\n`;
}

/** A UUID of the free form (RFC 9562, version 8) that is the same for the same text. */
function derivedUuid(text: string): string {
  const hex = createHash("sha256").update(text).digest("hex");
  const variant = ((Number.parseInt(hex.slice(16, 17), 16) & 0x3) | 0x8).toString(16);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `${variant}${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join("-");
}
