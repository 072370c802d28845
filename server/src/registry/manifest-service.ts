import { createHash } from "node:crypto";
import type { BlobStore } from "../platform/blob-store/blob-store.ts";
import type { LayerStore } from "./layer-store.ts";
import { type ManifestDocument, readManifest } from "./manifest-document.ts";
import type { ManifestStore, StoredManifest } from "./manifest-store.ts";
import { type Descriptor, mediaTypes, type Repository } from "./registry.ts";
import { digestMismatch, manifestBlobUnknown, manifestSizeInvalid } from "./registry-errors.ts";
import type { RepositoryBlobStore } from "./repository-blob-store.ts";

/** A document beside an image: SBOM, provenance, lock file, signature. */
export interface Attachment {
  /** what kind of document; clients ask by it */
  readonly artifactType: string;
  /** of the document itself; usually the same */
  readonly mediaType: string;
  readonly document: Uint8Array;
  /** name of the file that clients write it to */
  readonly title?: string | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

export interface ManifestDependencies {
  readonly blobs: BlobStore;
  readonly manifests: ManifestStore;
  readonly layers: LayerStore;
  readonly repositoryBlobs: RepositoryBlobStore;
}

type ManifestService = ReturnType<typeof createManifestService>;
export type PushedManifest = Awaited<ReturnType<ManifestService["push"]>>;

/** Manifests as they come in: from clients, from other registries, from Slipway itself. */
export function createManifestService({ blobs, manifests, layers, repositoryBlobs }: ManifestDependencies) {
  async function put(
    repository: Repository,
    tags: readonly string[],
    bytes: Uint8Array,
    document: ManifestDocument,
    options: { readonly digest: string; readonly mustBeThere?: boolean },
  ): Promise<StoredManifest> {
    const { digest: blob, sizeBytes } = await blobs.put(once(bytes));
    const manifest: StoredManifest = {
      mediaType: document.mediaType,
      digest: options.digest,
      blob,
      size: sizeBytes,
      subject: document.subject?.digest,
      ...(document.artifactType === undefined ? {} : { artifactType: document.artifactType }),
      ...(document.annotations === undefined ? {} : { annotations: document.annotations }),
    };
    const contents = {
      blobs: document.blobs.map(({ digest }) => digest),
      manifests: document.manifests.map(({ digest }) => digest),
    };
    const missing = await manifests.put(repository, { ...manifest, ...contents }, tags, options);
    if (missing !== undefined) throw manifestBlobUnknown(missing, repository.name);
    return manifest;
  }

  /** What a client names must lie in its repository: nobody gets at bytes by knowing their digest. */
  async function checkPushed(repository: Repository, document: ManifestDocument): Promise<void> {
    for (const { digest, size } of document.blobs) {
      const known =
        (await repositoryBlobs.find(repository, digest))?.sizeBytes ?? (await builtSize(repository, digest));
      if (known === undefined) throw manifestBlobUnknown(digest, repository.name);
      if (known !== size) throw manifestSizeInvalid(digest, size, known);
    }
    await checkManifests(repository, document);
  }

  async function builtSize(repository: Repository, digest: string): Promise<number | undefined> {
    return (await manifests.names(repository, digest)) ? storedSize(digest) : undefined;
  }

  async function checkManifests(repository: Repository, document: ManifestDocument): Promise<void> {
    for (const { digest, size } of document.manifests) {
      const known = await manifests.find(repository, digest);
      if (known === undefined) throw manifestBlobUnknown(digest, repository.name);
      if (known.size !== size) throw manifestSizeInvalid(digest, size, known.size);
    }
  }

  /** From now on it counts as used: see the garbage collection. */
  async function storedSize(digest: string): Promise<number | undefined> {
    if (!digest.startsWith("sha256:")) return undefined;
    const layer = await layers.find(digest);
    if (layer !== undefined && layer.source.type !== "blob") {
      return (await layers.use(digest)) ? layer.sizeBytes : undefined;
    }
    return (await blobs.has(digest)) ? (await blobs.info(digest)).sizeBytes : undefined;
  }

  return {
    /**
     * Takes a client's manifest.
     *
     * @param reference.digest what the bytes must have; undefined: their SHA-256
     * @param mediaType the `Content-Type` that came with it
     * @throws {AppError} MANIFEST_INVALID, DIGEST_INVALID, MANIFEST_BLOB_UNKNOWN
     */
    async push(
      repository: Repository,
      reference: { readonly digest: string | undefined; readonly tags: readonly string[] },
      bytes: Uint8Array,
      mediaType: string | undefined,
    ): Promise<StoredManifest> {
      const { digest: expected, tags } = reference;
      const digest = digestOf(bytes, expected?.startsWith("sha512:") ? "sha512" : "sha256");
      if (expected !== undefined && digest !== expected) throw digestMismatch(expected, digest);
      const document = readManifest(bytes, mediaType);
      await checkPushed(repository, document);
      return put(repository, tags, bytes, document, { digest, mustBeThere: true });
    },

    /**
     * Puts an image of another registry under a repository: the manifest as it came, whose configuration and layers are in the blob
     * store already. Of an index, the manifests must be in the repository.
     *
     * @param tag undefined: found by its digest only, and collected some days later if no index names it
     * @throws {AppError} MANIFEST_INVALID, MANIFEST_BLOB_UNKNOWN
     */
    async putImage(
      repository: Repository,
      tag: string | undefined,
      manifest: Uint8Array,
      mediaType?: string,
    ): Promise<Descriptor> {
      const document = readManifest(manifest, mediaType);
      for (const { digest, size } of document.blobs) {
        const known = await storedSize(digest);
        if (known === undefined) throw manifestBlobUnknown(digest, repository.name);
        if (known !== size) throw manifestSizeInvalid(digest, size, known);
      }
      await checkManifests(repository, document);
      const tags = tag === undefined ? [] : [tag];
      return describe(await put(repository, tags, manifest, document, { digest: digestOf(manifest, "sha256") }));
    },

    /**
     * Stores a document that is about an image, as an artifact manifest with the image's manifest as its subject. The same document
     * again is the same artifact. It goes when its subject goes.
     */
    async attach(repository: Repository, subject: Descriptor, attachment: Attachment): Promise<Descriptor> {
      const { artifactType, mediaType, document, title, annotations } = attachment;
      const config = await blobs.put(once(Buffer.from("{}")));
      const content = await blobs.put(once(document));
      const manifest = {
        schemaVersion: 2,
        mediaType: mediaTypes.manifest,
        artifactType,
        config: { mediaType: mediaTypes.empty, digest: config.digest, size: config.sizeBytes },
        layers: [
          {
            ...{ mediaType, digest: content.digest, size: content.sizeBytes },
            ...(title === undefined ? {} : { annotations: { "org.opencontainers.image.title": title } }),
          },
        ],
        subject: { mediaType: subject.mediaType, digest: subject.digest, size: subject.size },
        ...(annotations === undefined ? {} : { annotations }),
      };
      const bytes = Buffer.from(JSON.stringify(manifest));
      const read = readManifest(bytes, mediaTypes.manifest);
      return describe(await put(repository, [], bytes, read, { digest: digestOf(bytes, "sha256") }));
    },

    /** What is attached to a manifest, by whomever; only of one type if it is given. */
    async referrers(repository: Repository, subjectDigest: string, artifactType?: string): Promise<Descriptor[]> {
      const found = await manifests.referrers(repository, subjectDigest);
      return found.filter((one) => artifactType === undefined || one.artifactType === artifactType).map(describe);
    },
  };
}

function describe({ mediaType, digest, size, artifactType, annotations }: StoredManifest): Descriptor {
  return {
    mediaType,
    digest,
    size,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(annotations === undefined ? {} : { annotations }),
  };
}

function digestOf(bytes: Uint8Array, algorithm: "sha256" | "sha512"): string {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`;
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}
