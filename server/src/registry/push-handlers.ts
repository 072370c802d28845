import type { FastifyReply, FastifyRequest } from "fastify";
import { requestBytes } from "../platform/http/request-bytes.ts";
import type { BlobUploads, IncomingChunk } from "./blob-uploads.ts";
import { MAX_MANIFEST_BYTES } from "./manifest-document.ts";
import { isDigest, isRepositoryPath, isTag } from "./registry.ts";
import {
  blobUnknown,
  contentRangeInvalid,
  digestInvalid,
  manifestTooLarge,
  manifestUnknown,
  ownedByImage,
  tagInvalid,
  uploadBroken,
  uploadRangeInvalid,
} from "./registry-errors.ts";
import type { Place, RegistryDependencies } from "./registry-request.ts";

/** "Push" and "Content Management" of the distribution specification. */
export function pushHandlers({ registry, uploads, ownerOf }: RegistryDependencies) {
  /** What Slipway built stays what it is: services run it by its tag. */
  async function refuseOwned({ repository }: Place, tags: readonly string[]): Promise<void> {
    for (const tag of tags) {
      const owner = await ownerOf(repository, tag);
      if (owner !== undefined) throw ownedByImage(owner);
    }
  }

  return {
    /** The beginning of an upload, all of one, or a mount. */
    async begin(request: FastifyRequest, reply: FastifyReply, place: Place) {
      const { mount, from, digest } = request.query as Record<string, unknown>;
      if (typeof mount === "string") {
        if (!isDigest(mount)) throw digestInvalid(mount);
        const source = sourceName(from, place);
        const mounted = source === null ? undefined : await uploads.mount(place.repository, mount, source);
        if (mounted !== undefined) return created(reply, place, "blobs", mounted.digest);
      } else if (typeof digest === "string") {
        if (!isDigest(digest)) throw digestInvalid(digest);
        const blob = await uploads.put(place.repository, digest, chunkOf(request));
        return created(reply, place, "blobs", blob.digest);
      }
      const id = await uploads.start(place.repository);
      return progress(reply.code(202), place, id, 0);
    },

    async status(reply: FastifyReply, place: Place, id: string) {
      return progress(reply.code(204), place, id, await uploads.sizeOf(place.repository, id));
    },

    async append(request: FastifyRequest, reply: FastifyReply, place: Place, id: string) {
      const size = await inRange(reply, place, id, uploads, () =>
        uploads.append(place.repository, id, chunkOf(request)),
      );
      return progress(reply.code(202), place, id, size);
    },

    /** The end of an upload; the last chunk may come with it. */
    async finish(request: FastifyRequest, reply: FastifyReply, place: Place, id: string) {
      const { digest } = request.query as Record<string, unknown>;
      if (typeof digest !== "string" || !isDigest(digest)) throw digestInvalid(String(digest ?? ""));
      const chunk = chunkOf(request);
      if (chunk.sizeBytes !== 0) {
        await inRange(reply, place, id, uploads, () => uploads.append(place.repository, id, chunk));
      }
      const blob = await uploads.finish(place.repository, id, digest);
      return created(reply, place, "blobs", blob.digest);
    },

    async cancel(reply: FastifyReply, place: Place, id: string) {
      await uploads.cancel(place.repository, id);
      return reply.code(204).send();
    },

    /** By tag, or by digest, then with any number of tags in the query (1.2 of the specification). */
    async putManifest(request: FastifyRequest, reply: FastifyReply, place: Place, reference: string) {
      const tags = isDigest(reference) ? tagsOfQuery(request) : [reference];
      for (const tag of tags) if (!isTag(tag)) throw tagInvalid(tag);
      await refuseOwned(place, tags);
      const bytes = await wholeBody(request);
      const digest = isDigest(reference) ? reference : undefined;
      const mediaType = request.headers["content-type"];
      const manifest = await registry.push(place.repository, { digest, tags }, bytes, mediaType);
      if (digest !== undefined && tags.length > 0) reply.header("OCI-Tag", tags.join(", "));
      if (manifest.subject !== undefined) reply.header("OCI-Subject", manifest.subject);
      return created(reply, place, "manifests", manifest.digest);
    },

    /** A tag goes alone; a manifest takes its tags with it. */
    async removeManifest(reply: FastifyReply, place: Place, reference: string) {
      const byDigest = isDigest(reference);
      await refuseOwned(place, byDigest ? await registry.tagsOf(place.repository, reference) : [reference]);
      const removed = byDigest
        ? await registry.removeManifest(place.repository, reference)
        : await registry.untag(place.repository, reference);
      if (!removed) throw manifestUnknown(reference, place.path);
      return reply.code(202).send();
    },

    async removeBlob(reply: FastifyReply, place: Place, digest: string) {
      if (!isDigest(digest)) throw digestInvalid(digest);
      if (!(await uploads.remove(place.repository, digest))) throw blobUnknown(digest, place.path);
      return reply.code(202).send();
    },
  };
}

function tagsOfQuery(request: FastifyRequest): string[] {
  const { tag } = request.query as { tag?: string | string[] };
  return tag === undefined ? [] : [tag].flat();
}

/** @returns undefined: any repository of the workspace will do; null: it is none of this workspace */
function sourceName(from: unknown, { namespace }: Place): string | undefined | null {
  if (from === undefined || from === "") return undefined;
  const prefix = `${namespace}/`;
  if (typeof from !== "string" || !from.startsWith(prefix)) return null;
  const name = from.slice(prefix.length);
  return isRepositoryPath(name) ? name : null;
}

function created(reply: FastifyReply, { path }: Place, kind: "blobs" | "manifests", digest: string): FastifyReply {
  return reply
    .code(201)
    .header("Location", `/v2/${path}/${kind}/${digest}`)
    .header("Docker-Content-Digest", digest)
    .send();
}

function progress(reply: FastifyReply, place: Place, id: string, size: number): FastifyReply {
  return standing(reply, place, id, size).send();
}

/** Where to go on, and from which byte. */
function standing(reply: FastifyReply, { path }: Place, id: string, size: number): FastifyReply {
  return reply
    .header("Location", `/v2/${path}/blobs/uploads/${id}`)
    .header("Docker-Upload-UUID", id)
    .header("Range", `0-${Math.max(0, size - 1)}`);
}

/** A refused chunk says where the upload stands. */
async function inRange(
  reply: FastifyReply,
  place: Place,
  id: string,
  uploads: BlobUploads,
  append: () => Promise<number>,
): Promise<number> {
  try {
    return await append();
  } catch (error) {
    if ((error as { code?: unknown }).code === "RANGE_INVALID") {
      standing(reply, place, id, await uploads.sizeOf(place.repository, id));
    }
    throw error;
  }
}

function chunkOf(request: FastifyRequest): IncomingChunk {
  const length = request.headers["content-length"];
  // Without a body there is neither a length nor an encoding.
  const sizeBytes =
    length === undefined ? (request.headers["transfer-encoding"] === undefined ? 0 : undefined) : Number(length);
  return { bytes: requestBytes(request, uploadBroken), sizeBytes, range: contentRange(request) };
}

function contentRange(request: FastifyRequest): IncomingChunk["range"] {
  const header = request.headers["content-range"];
  if (header === undefined) return undefined;
  const match = /^(\d{1,15})-(\d{1,15})$/.exec(header);
  const [start, end] = [Number(match?.[1]), Number(match?.[2])];
  if (match === null) throw contentRangeInvalid(header);
  if (start > end) throw uploadRangeInvalid(start, end);
  return { start, end };
}

async function wholeBody(request: FastifyRequest): Promise<Buffer> {
  const announced = Number(request.headers["content-length"] ?? 0);
  if (announced > MAX_MANIFEST_BYTES) throw manifestTooLarge(announced, MAX_MANIFEST_BYTES);
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of requestBytes(request, uploadBroken)) {
    bytes += part.length;
    if (bytes > MAX_MANIFEST_BYTES) throw manifestTooLarge(bytes, MAX_MANIFEST_BYTES);
    parts.push(part);
  }
  return Buffer.concat(parts);
}
