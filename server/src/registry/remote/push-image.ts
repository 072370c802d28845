import { text } from "node:stream/consumers";
import type { Descriptor } from "../registry.ts";
import { discard } from "./http-exchange.ts";
import { type ImageReference, imageName, referenceTarget } from "./image-reference.ts";
import { pushBlob } from "./push-blob.ts";
import type { RegistrySession } from "./registry-session.ts";
import { pushRefused } from "./remote-errors.ts";

/** Something to be pushed; `read` takes a range whose both ends are counted in. */
export interface PushedContent extends Descriptor {
  read(range?: { readonly start: number; readonly end: number }): AsyncIterable<Uint8Array>;
}

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

/** What the registry says, in short: `{"errors": [{"code", "message"}]}` as a rule. */
export async function reasonOf(answer: Parameters<typeof text>[0] & { readonly statusCode?: number | undefined }) {
  const body = await text(answer).catch(() => "");
  const plain = body.replaceAll(/[^\x20-\x7e]/g, " ").slice(0, 300);
  return `${answer.statusCode}${plain === "" ? "" : ` ${plain}`}`;
}
