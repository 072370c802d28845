import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import type { Kysely } from "kysely";
import type { BlobStore } from "../../platform/blob-store/blob-store.ts";
import type { Descriptor, Registry, Repository } from "../../registry/index.ts";
import { type BaseContents, readBaseContents } from "../base/base-contents.ts";
import type { Image, ImagePlan, ImageProof, ProofType } from "../image.ts";
import { proofNotFound } from "../image-errors.ts";
import { readRuntimeContents } from "../runtime/runtime-contents.ts";
import { readStoredManifest, type StoredLayer, type StoredManifest } from "../stored-manifest.ts";
import { type EnvironmentContents, lockedContents, readEnvironmentContents } from "./environment-contents.ts";
import { createEnvironmentContentsStore } from "./environment-contents-store.ts";
import type { EnvironmentContentsTables } from "./environment-contents-tables.ts";
import { type ProofFacts, proofForm } from "./image-proof.ts";
import { PREDICATE_TYPE, provenanceOf } from "./provenance.ts";
import { sbomOf } from "./sbom.ts";

export interface ImageProofDependencies<Tables extends EnvironmentContentsTables> {
  readonly database: Kysely<Tables>;
  readonly blobs: BlobStore;
  readonly registry: Registry;
  /** of this Slipway */
  readonly version: string;
}

/** An environment as a build leaves it. */
export interface InstalledEnvironment {
  readonly id: string;
  readonly root: string;
  readonly pythonVersion: string;
  readonly lockDigest: string;
}

export type ImageProofs = ReturnType<typeof createImageProofs>;

/** Lock, bill of materials and provenance of images: written by each build, kept as referrers of the manifest. */
export function createImageProofs<Tables extends EnvironmentContentsTables>(deps: ImageProofDependencies<Tables>) {
  const { blobs, registry } = deps;
  const store = createEnvironmentContentsStore(deps.database);

  const repositoryOf = (image: Image): Repository => ({ workspaceId: image.workspaceId, name: image.name });

  /** Read once in the life of an environment; if somebody removed its folder before, its lock is all that is known. */
  async function contentsOf(
    environment: Pick<InstalledEnvironment, "id" | "root"> & { readonly lockDigest: string | null },
  ): Promise<EnvironmentContents> {
    const known = await store.findEnvironment(environment.id);
    if (known !== undefined) return known;
    const contents = await readEnvironmentContents(environment.root);
    const { lockDigest } = environment;
    if (contents === undefined)
      return lockedContents(lockDigest === null ? "" : await readText(blobs.read(lockDigest)));
    await store.rememberEnvironment(environment.id, contents);
    return contents;
  }

  /** With what Docker steps have made of it. Read once for each: such layers come from elsewhere and are large. */
  async function baseContentsOf(image: Image, manifest: StoredManifest, signal: AbortSignal): Promise<BaseContents> {
    const { digest = "" } = manifest.base ?? {};
    const steps = manifest.layers.flatMap((layer) => (layer.kind === "steps" ? [layer.digest] : []));
    // Not by the digests themselves: what the database names is not collected as garbage.
    const key = steps.length === 0 ? digest : `${digest}+${createHash("sha256").update(steps.join()).digest("hex")}`;
    const known = await store.findBase(key);
    if (known !== undefined) return known;
    const layers: Content[] = [];
    for (const layer of manifest.layers.filter(({ kind }) => kind === "base" || kind === "steps")) {
      const content = await registry.findBlob(repositoryOf(image), layer.digest);
      if (content === undefined) throw new Error(`The layer ${layer.digest} of ${image.id} is not in the registry.`);
      layers.push(content);
    }
    const contents = await readBaseContents(layers, signal);
    await store.rememberBase(key, contents);
    return contents;
  }

  /** Folders whose files the runtime layers have. */
  async function runtimeRoots(layers: readonly StoredLayer[]): Promise<string[]> {
    const runtimes = layers.filter((layer) => layer.kind === "runtime");
    const found = await Promise.all(runtimes.map((layer) => registry.findLayer(layer.digest)));
    return found.flatMap((layer) => (layer?.source.type === "tree" ? [layer.source.root] : []));
  }

  async function attach(image: Image, subject: Descriptor, { type, text, annotations }: Document): Promise<ImageProof> {
    const { artifactType, ...form } = proofForm(type);
    const document = { artifactType, ...form, document: Buffer.from(text), annotations };
    const { digest } = await registry.attach(repositoryOf(image), subject, document);
    return { type, artifactType, digest };
  }

  return {
    contentsOf,
    baseContentsOf,

    /**
     * Writes the documents and puts them beside the image. Doing it again changes nothing.
     *
     * @param digest of the image's manifest, which is in the registry
     * @returns in the order of their types: others who may push can attach more of the same types
     */
    async write(
      image: Image,
      digest: string,
      plan: ImagePlan,
      environment: InstalledEnvironment | null,
      signal: AbortSignal,
    ): Promise<readonly ImageProof[]> {
      const manifest = await readStoredManifest(registry, image, digest);
      const { architecture, base, descriptor, layers } = manifest;
      const lock = environment && (await readText(blobs.read(environment.lockDigest)));
      const known: ProofFacts = {
        ...{ image, digest, plan, layers },
        base: base && { ...base, contents: await baseContentsOf(image, manifest, signal) },
        environment:
          environment === null ? null : { ...environment, lock: lock ?? "", contents: await contentsOf(environment) },
        runtime: await readRuntimeContents(await runtimeRoots(layers), architecture),
        slipway: deps.version,
      };
      const sbom: Document = { type: "sbom", text: await sbomOf(known) };
      const made: Document[] = lock === null ? [sbom] : [{ type: "lock", text: lock }, sbom];
      const provenance = `${JSON.stringify(provenanceOf(known, made.map(describe)), null, 1)}\n`;
      const annotations = { "in-toto.io/predicate-type": PREDICATE_TYPE };
      const documents = [...made, { type: "provenance" as const, text: provenance, annotations }];
      return Promise.all(documents.map((document) => attach(image, descriptor, document)));
    },

    /** @throws {AppError} ProofNotFound: somebody deleted it */
    async read(image: Image, proof: ImageProof): Promise<{ readonly mediaType: string; readonly document: string }> {
      const artifact = await registry.findManifest(repositoryOf(image), proof.digest);
      if (artifact === undefined) throw proofNotFound(image.id, proof.type);
      const { layers } = JSON.parse(await readText(artifact.read())) as { readonly layers: readonly Descriptor[] };
      const content = await registry.findBlob(repositoryOf(image), layers[0]?.digest ?? "");
      if (content === undefined) throw proofNotFound(image.id, proof.type);
      return { mediaType: proofForm(proof.type).mediaType, document: await readText(content.read()) };
    },
  };
}

type Content = NonNullable<Awaited<ReturnType<Registry["findBlob"]>>>;

interface Document {
  readonly type: ProofType;
  readonly text: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

function describe({ type, text }: Document): { readonly name: string; readonly digest: string } {
  return { name: proofForm(type).title, digest: `sha256:${createHash("sha256").update(text).digest("hex")}` };
}

function readText(bytes: AsyncIterable<Uint8Array>): Promise<string> {
  return text(Readable.from(bytes));
}
