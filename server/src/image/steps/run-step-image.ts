import { createHash } from "node:crypto";
import type { ImageBlob, ImageBlobs } from "../../platform/engine/image-archive.ts";
import { mediaTypes, type Platform } from "../../registry/index.ts";
import { SESSION_LABEL } from "./run-step-container.ts";

/** A layer with its bytes, for an engine. */
export interface StepLayer extends ImageBlob {
  /** digest of the uncompressed tar */
  readonly diffId: string;
  readonly mediaType: string;
}

/** What a step runs on, as an image that an engine takes. Its settings are told to the container, not to the image. */
export function stepImage(platform: Platform, layers: readonly StepLayer[], session: string): ImageBlobs {
  const config = document({
    ...platform,
    config: { Labels: { [SESSION_LABEL]: session } },
    rootfs: { type: "layers", diff_ids: layers.map(({ diffId }) => diffId) },
  });
  const manifest = document({
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: { mediaType: mediaTypes.config, digest: config.digest, size: config.size },
    layers: layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
  });
  return { manifest: { ...manifest, mediaType: mediaTypes.manifest }, config, layers };
}

function document(content: unknown): ImageBlob {
  const bytes = Buffer.from(JSON.stringify(content));
  return {
    digest: `sha256:${createHash("sha256").update(bytes).digest("hex")}`,
    size: bytes.length,
    async *read() {
      yield bytes;
    },
  };
}
