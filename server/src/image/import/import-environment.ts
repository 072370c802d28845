import { imagePaths } from "@slipway/api";
import type { ImportedEnvironment, ImportedEnvironments } from "../../environment/index.ts";
import type { BlobStore } from "../../platform/blob-store/blob-store.ts";
import type { Registry } from "../../registry/index.ts";
import { imageNotWhole } from "../image-errors.ts";
import { refuseIn } from "./import-layers.ts";

export interface LayerEnvironmentDependencies {
  readonly registry: Pick<Registry, "findLayer">;
  readonly blobs: Pick<BlobStore, "has" | "read">;
  readonly importedEnvironments: ImportedEnvironments;
}

/**
 * The environment that a layer of an imported image holds, laid out: the tree that the same environment has here already, or the
 * layer unpacked.
 *
 * @throws {AppError} ImageNotWhole, LayerInvalid
 */
export async function layerEnvironment(
  { registry, blobs, importedEnvironments }: LayerEnvironmentDependencies,
  imageId: string,
  digest: string,
  run: { readonly signal: AbortSignal; say(text: string): void },
): Promise<ImportedEnvironment> {
  const layer = await registry.findLayer(digest);
  if (layer?.source.type === "tree") {
    const known = await importedEnvironments.look(layer.source.root);
    if (known.runs) return known;
  }
  if (!(await blobs.has(digest))) throw imageNotWhole(imageId, digest);
  const id = digest.replace("sha256:", "");
  const at = imagePaths.environment.slice(1);
  return importedEnvironments.ensure({ id, at, read: () => blobs.read(digest), refuse: refuseIn(digest) }, run);
}
