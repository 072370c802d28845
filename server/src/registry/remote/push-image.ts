import { discard } from "./http-exchange.ts";
import { digestOf, MAX_DOCUMENT_BYTES } from "./image-document.ts";
import { type ImageReference, imageName, referenceTarget } from "./image-reference.ts";
import { pushBlob } from "./push-blob.ts";
import { type PushedContent, reasonOf } from "./pushed-content.ts";
import { readSmall } from "./read-small.ts";
import { parseReferrers, REFERRERS_TYPE, referrersTag, withReferrer } from "./referrers.ts";
import type { RegistrySession } from "./registry-session.ts";
import { pushRefused } from "./remote-errors.ts";

export interface ImagePush {
  /** @returns whether it had to be sent: false when the registry had it already. @throws {AppError} PushRefused, ConnectionBroken … */
  blob(content: PushedContent, signal: AbortSignal): Promise<boolean>;
  /** Makes the image pullable; all it names must be there. Under the reference's tag, or by its digest when `tag` is false. */
  manifest(content: PushedContent, signal: AbortSignal, tag?: boolean): Promise<void>;
  /**
   * Puts a document's manifest, whose parts must be there, beside the image that is its subject. In a registry without the
   * referrers API the tag is kept that stands in for it.
   */
  referrer(content: PushedContent, subjectDigest: string, signal: AbortSignal): Promise<void>;
}

export function createPush(session: RegistrySession, reference: ImageReference): ImagePush {
  async function put(target: string, content: PushedContent, signal: AbortSignal) {
    const answer = await session.request(`manifests/${target}`, {
      method: "PUT",
      headers: { "Content-Type": content.mediaType, "Content-Length": String(content.size) },
      body: () => content.read(),
      signal,
    });
    if (answer.statusCode !== 201) {
      throw pushRefused(session.host, imageName(reference), await reasonOf(answer));
    }
    discard(answer);
    const stored = answer.headers["docker-content-digest"];
    if (stored !== undefined && stored !== content.digest) {
      throw pushRefused(session.host, imageName(reference), `it stored it as ${String(stored).slice(0, 100)}`);
    }
    return answer.headers;
  }

  async function taggedReferrers(tag: string, signal: AbortSignal) {
    const answer = await session.request(`manifests/${tag}`, {
      method: "GET",
      headers: { Accept: REFERRERS_TYPE },
      signal,
    });
    if (answer.statusCode === 200) return parseReferrers(await readSmall(answer, MAX_DOCUMENT_BYTES, signal));
    discard(answer);
    return [];
  }

  return {
    blob: (content, signal) => pushBlob(session, content, signal),
    async manifest(content, signal, tag = true) {
      await put(tag ? referenceTarget(reference) : content.digest, content, signal);
    },
    async referrer(content, subjectDigest, signal) {
      const headers = await put(content.digest, content, signal);
      // The header says that the registry itself keeps the list (distribution specification, "Pushing Manifests with Subject").
      if (headers["oci-subject"] !== undefined) return;
      const tag = referrersTag(subjectDigest);
      const bytes = withReferrer(await taggedReferrers(tag, signal), content);
      await put(tag, inMemory(REFERRERS_TYPE, bytes), signal);
    },
  };
}

function inMemory(mediaType: string, bytes: Uint8Array): PushedContent {
  return {
    mediaType,
    digest: digestOf(bytes),
    size: bytes.length,
    async *read() {
      yield bytes;
    },
  };
}
