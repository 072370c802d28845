import type { FastifyReply, FastifyRequest } from "fastify";
import { type Descriptor, isDigest, isTag, mediaTypes } from "./registry.ts";
import { sendContent } from "./registry-answers.ts";
import { blobUnknown, digestInvalid, manifestUnknown, nameUnknown } from "./registry-errors.ts";
import type { Place } from "./registry-request.ts";
import type { Registry } from "./registry-service.ts";

/** A registry answers at least this much; more needs a client that follows `Link`. */
const REFERRERS_BYTES = 3 * 1024 * 1024;

/** GET and HEAD of the distribution specification: "Pull" and "Content Discovery". */
export function pullHandlers(registry: Registry) {
  return {
    async manifest(request: FastifyRequest, reply: FastifyReply, place: Place, reference: string) {
      const known = isDigest(reference) || isTag(reference);
      const manifest = known ? await registry.findManifest(place.repository, reference) : undefined;
      if (manifest === undefined) throw manifestUnknown(reference, place.path);
      return sendContent(request, reply, manifest, manifest.mediaType);
    },

    async blob(request: FastifyRequest, reply: FastifyReply, place: Place, digest: string) {
      if (!isDigest(digest)) throw digestInvalid(digest);
      const blob = await registry.findBlob(place.repository, digest);
      if (blob === undefined) throw blobUnknown(digest, place.path);
      return sendContent(request, reply, blob, "application/octet-stream");
    },

    async tags(request: FastifyRequest, reply: FastifyReply, { repository, path }: Place) {
      const { n, last } = request.query as { n?: unknown; last?: unknown };
      const limit = typeof n === "string" && /^\d{1,9}$/.test(n) ? Number(n) : undefined;
      const after = typeof last === "string" ? last : undefined;
      const found = await registry.tagPage(repository, {
        after,
        ...(limit === undefined ? {} : { limit: limit + 1 }),
      });
      if (found === undefined) throw nameUnknown(path);
      const tags = found.slice(0, limit);
      const end = tags.at(-1);
      if (limit !== undefined && end !== undefined && found.length > limit) {
        reply.header("Link", `</v2/${path}/tags/list?n=${limit}&last=${encodeURIComponent(end)}>; rel="next"`);
      }
      return reply.send({ name: path, tags });
    },

    async referrers(request: FastifyRequest, reply: FastifyReply, { repository, path }: Place, digest: string) {
      if (!isDigest(digest)) throw digestInvalid(digest);
      const { artifactType, last } = request.query as { artifactType?: unknown; last?: unknown };
      const filter = typeof artifactType === "string" ? artifactType : undefined;
      const all = await registry.referrers(repository, digest, filter);
      const after = typeof last === "string" ? last : "";
      const manifests = firstBytes(all.filter((one) => one.digest > after));
      const end = manifests.at(-1)?.digest;
      if (filter !== undefined) reply.header("OCI-Filters-Applied", "artifactType");
      if (end !== undefined && end !== all.at(-1)?.digest) {
        const query = new URLSearchParams({ ...(filter === undefined ? {} : { artifactType: filter }), last: end });
        reply.header("Link", `</v2/${path}/referrers/${digest}?${query}>; rel="next"`);
      }
      // As bytes: to a text the framework adds a charset.
      const index = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.index, manifests }));
      return reply.type(mediaTypes.index).send(index);
    },

    async repositories(reply: FastifyReply, workspaceId: string, namespace: string) {
      const names = await registry.repositories(workspaceId);
      return reply.send({ repositories: names.map((name) => `${namespace}/${name}`) });
    },
  };
}

/** As many as one answer may hold, one at least. */
function firstBytes(descriptors: readonly Descriptor[]): Descriptor[] {
  const page: Descriptor[] = [];
  let bytes = 0;
  for (const descriptor of descriptors) {
    bytes += Buffer.byteLength(JSON.stringify(descriptor)) + 1;
    if (bytes > REFERRERS_BYTES && page.length > 0) break;
    page.push(descriptor);
  }
  return page;
}
