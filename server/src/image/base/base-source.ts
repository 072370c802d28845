import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import type { BlobStore } from "../../platform/blob-store/blob-store.ts";
import type { Descriptor, Registry, Repository } from "../../registry/index.ts";
import {
  MAX_DOCUMENT_BYTES,
  manifestInvalid,
  type RemoteRepository,
  remoteImageNotFound,
} from "../../registry/remote/index.ts";

/** Where a base is read from: the built-in registry or another one. */
export interface BaseSource {
  /**
   * A manifest or index by tag or digest, exactly as the registry has it.
   *
   * @throws {AppError} RemoteImageNotFound and others of the registry
   */
  manifest(target: string, signal: AbortSignal): Promise<{ readonly mediaType: string; readonly bytes: Uint8Array }>;
  /** A small part, checked against its digest. */
  document(descriptor: Descriptor, signal: AbortSignal): Promise<Uint8Array>;
  /** Sees to it that the layer's bytes are stored, and gives them. */
  layer(descriptor: Descriptor, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
}

/** A repository of the built-in registry: everything is stored here already. */
export function builtInSource(registry: Registry, repository: Repository, name: string): BaseSource {
  const blob = async (digest: string) => {
    const content = await registry.findBlob(repository, digest);
    if (content === undefined) throw manifestInvalid(name, `its part ${digest} is missing in the registry`);
    return content;
  };
  return {
    async manifest(target) {
      const content = await registry.findManifest(repository, target);
      if (content === undefined) throw remoteImageNotFound("built into Slipway", repository.name, target);
      return { mediaType: content.mediaType, bytes: await small(content, name) };
    },
    async document({ digest }) {
      return small(await blob(digest), name);
    },
    async layer({ digest }) {
      return (await blob(digest)).read();
    },
  };
}

/** A registry elsewhere: layers come into the blob store. */
export function remoteSource(repository: RemoteRepository, blobs: BlobStore): BaseSource {
  return {
    manifest: repository.manifest,
    document: repository.document,
    async layer(descriptor, signal) {
      await repository.pull(descriptor, blobs, signal);
      return blobs.read(descriptor.digest);
    },
  };
}

function small(content: { readonly size: number; read(): AsyncIterable<Uint8Array> }, name: string): Promise<Buffer> {
  if (content.size > MAX_DOCUMENT_BYTES) throw manifestInvalid(name, `it has ${content.size} bytes`);
  return buffer(Readable.from(content.read()));
}
