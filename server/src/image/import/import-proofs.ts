import { Readable } from "node:stream";
import { json } from "node:stream/consumers";
import { type Static, Type } from "typebox";
import { Value } from "typebox/value";
import type { BlobStore } from "../../platform/blob-store/blob-store.ts";
import { AppError } from "../../platform/errors.ts";
import type { Descriptor } from "../../registry/index.ts";
import type { RemoteRepository } from "../../registry/remote/index.ts";
import type { ImageProof, ProofType } from "../image.ts";
import { proofForm } from "../proof/image-proof.ts";
import { proofTooLarge } from "./import-errors.ts";

/** A document beside an image, whose parts are in the blob store. */
export interface FetchedProof {
  /** of its manifest */
  readonly descriptor: Descriptor;
  readonly artifactType: string;
  /** digest of the document itself */
  readonly document: string;
}

const Part = Type.Object({
  mediaType: Type.String({ maxLength: 255 }),
  digest: Type.String({ pattern: "^sha256:[0-9a-f]{64}$" }),
  size: Type.Integer({ minimum: 0 }),
});
const ProofManifest = Type.Object({
  artifactType: Type.Optional(Type.String({ maxLength: 255 })),
  config: Part,
  layers: Type.Array(Part, { minItems: 1, maxItems: 100 }),
  subject: Type.Object({ digest: Type.String() }),
});

const MAX_PROOFS = 50;
/** Of all together; bills of materials of large environments have some 10 MB. */
const MAX_PROOF_BYTES = 256 * 1024 * 1024;

/**
 * Fetches what lies beside an image in its registry. It is an extra: what cannot be had is said and left out.
 *
 * @param subject digest of the image's manifest
 */
export async function fetchProofs(
  repository: RemoteRepository,
  blobs: BlobStore,
  subject: string,
  { signal, say }: { readonly signal: AbortSignal; say(text: string): void },
): Promise<readonly FetchedProof[]> {
  let budget = MAX_PROOF_BYTES;

  async function fetchProof(digest: string): Promise<FetchedProof | undefined> {
    const { mediaType, bytes } = await repository.manifest(digest, signal);
    const manifest: unknown = JSON.parse(new TextDecoder().decode(bytes));
    // An index beside an image, or what is about another one.
    if (!Value.Check(ProofManifest, manifest) || manifest.subject.digest !== subject) return undefined;
    const parts = [manifest.config, ...manifest.layers];
    const bytesOfParts = parts.reduce((sum, { size }) => sum + size, 0);
    if (bytesOfParts > budget) throw proofTooLarge(digest, bytesOfParts, MAX_PROOF_BYTES);
    budget -= bytesOfParts;
    for (const part of parts) await repository.pull(part, blobs, signal);
    await blobs.put(Readable.from([bytes]), { signal });
    return {
      descriptor: { mediaType, digest, size: bytes.length },
      artifactType: manifest.artifactType ?? manifest.config.mediaType,
      document: manifest.layers[0]?.digest ?? "",
    };
  }

  async function optional<T>(work: () => Promise<T>, what: string): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof AppError) && !(error instanceof SyntaxError)) throw error;
      say(`Warning: ${what} was left out: ${error.message}`);
      return undefined;
    }
  }

  const fetched: FetchedProof[] = [];
  const found = await optional(() => repository.referrers(subject, signal), "what lies beside the image");
  for (const { digest, artifactType } of (found ?? []).slice(0, MAX_PROOFS)) {
    const proof = await optional(() => fetchProof(digest), `a document beside the image (${artifactType ?? digest})`);
    if (proof !== undefined) fetched.push(proof);
  }
  return fetched;
}

const Provenance = Type.Object({
  subject: Type.Array(Type.Object({ digest: Type.Object({ sha256: Type.String() }) }), { minItems: 1 }),
  predicate: Type.Object({
    buildDefinition: Type.Object({
      buildType: Type.Literal("urn:slipway:build-image:v1"),
      internalParameters: Type.Object({
        python: Type.Union([Type.String({ pattern: "^3\\.\\d+\\.\\d+$" }), Type.Null()]),
      }),
    }),
    runDetails: Type.Object({
      byproducts: Type.Array(Type.Object({ digest: Type.Object({ sha256: Type.String() }) })),
    }),
  }),
});

export interface ImportedProofs {
  /** in the order of their types; others who may push can attach more of the same types */
  readonly proofs: readonly ImageProof[];
  /** of the lock's text; null without */
  readonly lockDigest: string | null;
  /** X.Y.Z; null if nothing says it */
  readonly python: string | null;
}

/** Which of the documents are those that the build wrote: its provenance names the others. */
export async function knownProofs(
  fetched: readonly FetchedProof[],
  blobs: BlobStore,
  subject: string,
): Promise<ImportedProofs> {
  const ofType = (type: ProofType) => fetched.filter((one) => one.artifactType === proofForm(type).artifactType);
  for (const proof of ofType("provenance")) {
    const statement = await readProvenance(blobs, proof.document);
    if (statement === undefined || !statement.subject.some(({ digest }) => `sha256:${digest.sha256}` === subject))
      continue;
    const { byproducts } = statement.predicate.runDetails;
    const named = new Set(byproducts.map(({ digest }) => `sha256:${digest.sha256}`));
    const lock = ofType("lock").find(({ document }) => named.has(document));
    const sbom = ofType("sbom").find(({ document }) => named.has(document));
    const all = [["lock", lock] as const, ["sbom", sbom] as const, ["provenance", proof] as const];
    return {
      proofs: all.flatMap(([type, one]) =>
        one === undefined ? [] : [{ type, artifactType: one.artifactType, digest: one.descriptor.digest }],
      ),
      lockDigest: lock?.document ?? null,
      python: statement.predicate.buildDefinition.internalParameters.python,
    };
  }
  return { proofs: [], lockDigest: null, python: null };
}

async function readProvenance(blobs: BlobStore, digest: string): Promise<Static<typeof Provenance> | undefined> {
  if ((await blobs.info(digest)).sizeBytes > MAX_PROVENANCE_BYTES) return undefined;
  const statement: unknown = await json(Readable.from(blobs.read(digest))).catch(() => undefined);
  return Value.Check(Provenance, statement) ? statement : undefined;
}

const MAX_PROVENANCE_BYTES = 16 * 1024 * 1024;
