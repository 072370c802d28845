import { discard } from "./http-exchange.ts";
import { type ImageReference, imageName, referenceTarget } from "./image-reference.ts";
import { pushBlob } from "./push-blob.ts";
import { type PushedContent, reasonOf } from "./pushed-content.ts";
import type { RegistrySession } from "./registry-session.ts";
import { pushRefused } from "./remote-errors.ts";

export interface ImagePush {
  /** @returns whether it had to be sent: false when the registry had it already. @throws {AppError} PushRefused, ConnectionBroken … */
  blob(content: PushedContent, signal: AbortSignal): Promise<boolean>;
  /** Makes the image pullable; all it names must be there. Under the reference's tag, or by its digest when `tag` is false. */
  manifest(content: PushedContent, signal: AbortSignal, tag?: boolean): Promise<void>;
}

export function createPush(session: RegistrySession, reference: ImageReference): ImagePush {
  return {
    blob: (content, signal) => pushBlob(session, content, signal),
    async manifest(content, signal, tag = true) {
      const target = tag ? referenceTarget(reference) : content.digest;
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
    },
  };
}
