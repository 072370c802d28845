import { ociArchitecture } from "../../platform/engine/engine-answers.ts";
import type { EngineClient } from "../../platform/engine/engine-client.ts";
import { imageNotLoaded } from "../../platform/engine/engine-errors.ts";
import type { ImageBlobs } from "../../platform/engine/image-archive.ts";
import { loadImage } from "../../platform/engine/load-image.ts";
import { foreignArchitecture } from "../replica/replica-errors.ts";
import type { ImageBundle, RunContext } from "../target.ts";
import { imageWithoutBase } from "./container-errors.ts";

/** All blobs of an image of the registry. @throws {AppError} when the registry has lost it */
export type FindBlobs = (bundle: ImageBundle) => Promise<ImageBlobs>;

/**
 * Brings the image into the engine, unless its digest is there. It is handed over as an archive, not pulled: that needs no trust
 * of the engine in our certificate, no credentials in it and no way from it to our port, and the engine checks all digests.
 *
 * @param relatives references of images that may be in the engine and share layers with it
 * @returns the image's id in the engine
 */
export async function ensureImage(
  engine: EngineClient,
  bundle: ImageBundle,
  findBlobs: FindBlobs,
  relatives: readonly string[],
  context: RunContext,
): Promise<string> {
  if (bundle.base === null) throw imageWithoutBase(bundle.imageId);
  const architecture = ociArchitecture(await engine.info());
  if (architecture !== bundle.architecture)
    throw foreignArchitecture(bundle.imageId, bundle.architecture, architecture);
  const blobs = await findBlobs(bundle);
  const reference = engineReference(bundle);
  const ids = [blobs.config.digest, blobs.manifest.digest];
  const there = await engine.image(reference);
  if (there !== undefined && ids.includes(there.Id)) return there.Id;
  await loadImage(engine, bundle.imageId, blobs, reference, relatives, context);
  const loaded = await engine.image(reference);
  if (loaded === undefined || !ids.includes(loaded.Id)) {
    throw imageNotLoaded(bundle.imageId, `it has the id ${loaded?.Id ?? "none"} there, not ${ids.join(" or ")}`);
  }
  return loaded.Id;
}

/**
 * What the image is called in the engine. `localhost/` keeps engines from looking for it anywhere else; the digest keeps images
 * apart that had the same name one after the other.
 */
export function engineReference({
  imageLocation,
  imageDigest,
}: Pick<ImageBundle, "imageLocation" | "imageDigest">): string {
  const [, repository = "image", tag = "latest"] = /^[^/]*\/([^:@]+)(?::([^@]+))?/.exec(imageLocation) ?? [];
  return `localhost/slipway/${repository}:${tag}-${imageDigest.replace(/^sha256:/, "").slice(0, 12)}`;
}
