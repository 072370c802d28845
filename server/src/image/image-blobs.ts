import { Readable } from "node:stream";
import { json } from "node:stream/consumers";
import type { Descriptor, Registry } from "../registry/index.ts";
import type { ImageBundle } from "../target/target.ts";
import { imageNotWhole } from "./image-errors.ts";

/** Manifest, config and layers of an image, as they lie in the registry, for engines that get them from us. */
export async function readImageBlobs(
  registry: Pick<Registry, "findManifest" | "findBlob">,
  { imageId, imageDigest, repository }: Pick<ImageBundle, "imageId" | "imageDigest" | "repository">,
) {
  const manifest = await registry.findManifest(repository, imageDigest);
  if (manifest === undefined) throw imageNotWhole(imageId, imageDigest);
  const { config, layers } = (await json(Readable.from(manifest.read()))) as {
    readonly config: Descriptor;
    readonly layers: readonly Descriptor[];
  };
  const find = async ({ digest }: Descriptor) => {
    const blob = await registry.findBlob(repository, digest);
    if (blob === undefined) throw imageNotWhole(imageId, digest);
    return blob;
  };
  return { manifest, config: await find(config), layers: await Promise.all(layers.map(find)) };
}
