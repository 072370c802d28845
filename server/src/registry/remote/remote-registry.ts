import type { BlobStore } from "../../platform/blob-store/blob-store.ts";
import type { Clock } from "../../platform/clock.ts";
import type { Descriptor } from "../registry.ts";
import { createHttpExchange, discard } from "./http-exchange.ts";
import { acceptedManifests, digestOf, MAX_DOCUMENT_BYTES } from "./image-document.ts";
import type { ImageReference } from "./image-reference.ts";
import { imageName } from "./image-reference.ts";
import { pullBlob } from "./pull-blob.ts";
import { createPush, type ImagePush } from "./push-image.ts";
import { readSmall } from "./read-small.ts";
import { parseReferrers, REFERRERS_TYPE, referrersTag } from "./referrers.ts";
import { createRegistryAddresses } from "./registry-addresses.ts";
import { openSession, type RegistrySession } from "./registry-session.ts";
import type { RemoteCredentials } from "./registry-token.ts";
import { manifestInvalid, registryFailed, remoteBlobCorrupt, remoteImageNotFound } from "./remote-errors.ts";
import { transportFailure } from "./transport-failure.ts";

/** Registries elsewhere, by the OCI distribution specification and Docker's token authentication. */
export interface RemoteRegistries {
  /** Nothing is asked yet. @param credentials without them the registry is asked anonymously */
  open(reference: ImageReference, credentials?: RemoteCredentials): RemoteRepository;
  /** For writing. */
  push(reference: ImageReference, credentials?: RemoteCredentials): ImagePush;
  close(): void;
}

export interface RemoteRepository {
  /** A manifest or index by tag or digest; one asked for by digest has it. @throws {AppError} RemoteImageNotFound … */
  manifest(target: string, signal: AbortSignal): Promise<{ readonly mediaType: string; readonly bytes: Uint8Array }>;
  /** A small part in memory, checked. @throws {AppError} RemoteBlobCorrupt … */
  document(descriptor: Descriptor, signal: AbortSignal): Promise<Uint8Array>;
  /**
   * What lies beside an image: by the referrers API or, in a registry without it, by the tag that stands in for it. Nothing if the
   * registry knows neither.
   */
  referrers(digest: string, signal: AbortSignal): Promise<readonly Descriptor[]>;
  /** A part of any size into the blob store, checked. @throws {AppError} RemoteBlobCorrupt, ConnectionBroken … */
  pull(descriptor: Descriptor, blobs: BlobStore, signal: AbortSignal): Promise<void>;
}

export interface RemoteRegistryOptions {
  readonly clock: Clock;
  /** proxy and certificate settings of the process */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** certificate authorities beside those of the machine, PEM */
  readonly ca?: readonly string[];
  /** `host` or `host:port` that may be used without encryption */
  readonly insecure?: readonly string[];
  /** how long a registry may say nothing; 30 s if not given */
  readonly silenceMs?: number;
}

export function createRemoteRegistries(options: RemoteRegistryOptions): RemoteRegistries {
  const silenceMs = options.silenceMs ?? 30_000;
  const exchange = createHttpExchange({ ...options, silenceMs });
  const addresses = createRegistryAddresses(options.insecure ?? []);
  const deps = { exchange, addresses, clock: options.clock, silenceMs };
  return {
    open(reference, credentials) {
      const session = openSession(deps, { ...reference, actions: "pull" }, credentials);
      return repositoryOver(session, reference, silenceMs);
    },
    push(reference, credentials) {
      return createPush(openSession(deps, { ...reference, actions: "pull,push" }, credentials), reference);
    },
    close: exchange.close,
  };
}

function repositoryOver(session: RegistrySession, reference: ImageReference, silenceMs: number): RemoteRepository {
  const { host } = session;

  async function read(path: string, headers: Record<string, string>, signal: AbortSignal) {
    const answer = await session.request(path, { method: "GET", headers, signal });
    if (answer.statusCode !== 200) {
      discard(answer);
      return { status: answer.statusCode ?? 0, answer, bytes: undefined };
    }
    const bytes = await readSmall(answer, MAX_DOCUMENT_BYTES, signal).catch((error) => {
      throw transportFailure(host, error, silenceMs);
    });
    return { status: 200, answer, bytes };
  }

  return {
    async manifest(target, signal) {
      const headers = { Accept: acceptedManifests.join(", ") };
      const { status, answer, bytes } = await read(`manifests/${target}`, headers, signal);
      if (status === 404) throw remoteImageNotFound(host, reference.repository, target);
      if (status !== 200)
        throw registryFailed(host, `it answered ${status} for the manifest of ${imageName(reference)}`);
      if (bytes === undefined) throw manifestInvalid(imageName(reference), "it is larger than 4 MiB");
      if (target.startsWith("sha256:") && digestOf(bytes) !== target) {
        throw remoteBlobCorrupt(host, target, "its bytes have another digest");
      }
      const [mediaType = ""] = (answer.headers["content-type"] ?? "").split(";");
      return { mediaType: mediaType.trim(), bytes };
    },

    async document({ digest, size }, signal) {
      if (size > MAX_DOCUMENT_BYTES) throw manifestInvalid(imageName(reference), `its configuration has ${size} bytes`);
      const { status, bytes } = await read(`blobs/${digest}`, {}, signal);
      if (status === 404) throw remoteBlobCorrupt(host, digest, "the registry does not have it");
      if (status !== 200) throw registryFailed(host, `it answered ${status} for a part of the image`);
      if (bytes?.length !== size) throw remoteBlobCorrupt(host, digest, `it has not the announced ${size} bytes`);
      if (digestOf(bytes) !== digest) throw remoteBlobCorrupt(host, digest, "its bytes have another digest");
      return bytes;
    },

    async referrers(digest, signal) {
      const headers = { Accept: REFERRERS_TYPE };
      const known = await read(`referrers/${digest}`, headers, signal);
      const found = known.status === 200 ? known : await read(`manifests/${referrersTag(digest)}`, headers, signal);
      return parseReferrers(found.bytes);
    },

    pull(descriptor, blobs, signal) {
      return pullBlob(session, descriptor, blobs, signal);
    },
  };
}
