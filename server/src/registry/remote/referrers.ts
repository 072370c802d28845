import { Type } from "typebox";
import { Value } from "typebox/value";
import { type Descriptor, mediaTypes } from "../registry.ts";

export const REFERRERS_TYPE = mediaTypes.index;

const Referrers = Type.Object({
  manifests: Type.Array(
    Type.Object({
      mediaType: Type.String({ maxLength: 255 }),
      digest: Type.String({ pattern: "^sha256:[0-9a-f]{64}$" }),
      size: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
      artifactType: Type.Optional(Type.String({ maxLength: 255 })),
      annotations: Type.Optional(Type.Record(Type.String(), Type.String())),
    }),
    { maxItems: 10_000 },
  ),
});

/** Under which a registry without the referrers API keeps them (distribution specification, "Referrers Tag Schema"). */
export function referrersTag(digest: string): string {
  return digest.replace(":", "-");
}

/** Documents beside an image are an extra: what cannot be read is none. */
export function parseReferrers(bytes: Uint8Array | undefined): readonly Descriptor[] {
  if (bytes === undefined) return [];
  let document: unknown;
  try {
    document = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return [];
  }
  return Value.Check(Referrers, document) ? document.manifests : [];
}

/** The list with one more, in the bytes that the tag gets. The same referrer again changes nothing. */
export function withReferrer(known: readonly Descriptor[], added: Descriptor): Uint8Array {
  const others = known.filter(({ digest }) => digest !== added.digest);
  const { mediaType, digest, size, artifactType, annotations } = added;
  const one = { mediaType, digest, size, ...(artifactType && { artifactType }), ...(annotations && { annotations }) };
  return Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: REFERRERS_TYPE, manifests: [...others, one] }));
}
