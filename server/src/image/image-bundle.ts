import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { EnvironmentService } from "../environment/index.ts";
import type { ImageBundle } from "../target/target.ts";
import type { AppFolders } from "./app-folder.ts";
import { type BuiltImage, type Image, modelFolder } from "./image.ts";
import { imageVariables } from "./image-settings.ts";
import { type LayerEnvironmentDependencies, layerEnvironment } from "./import/import-environment.ts";
import { stepsOf } from "./steps/docker-steps.ts";
import { stepVariables } from "./steps/docker-steps-config.ts";

/** Longer than any repair of a removed folder takes; a deploy must not wait for ever. */
const REPAIR_MS = 30 * 60_000;

export interface BundleDependencies extends LayerEnvironmentDependencies {
  readonly folders: AppFolders;
  readonly environments: EnvironmentService;
}

/** The unpacked parts of a built image. What somebody removed is made again. */
export async function bundleOf(
  deps: BundleDependencies,
  image: Image,
  built: BuiltImage,
  facts: Pick<ImageBundle, "imageId" | "imageDigest" | "imageLocation" | "repository">,
): Promise<ImageBundle> {
  const { plan } = built;
  const signal = AbortSignal.timeout(REPAIR_MS);
  const { root } = await deps.folders.layOut(plan, signal);
  const environmentRoot = await presentEnvironment(deps, built, facts.imageId, signal);
  return {
    ...facts,
    architecture: built.architecture,
    base: built.base?.reference ?? null,
    runtime: plan.runtime,
    appRoot: root,
    ...(plan.driver === null ? {} : { entryScript: plan.driver }),
    ...(environmentRoot === null ? {} : { environmentRoot }),
    environmentVariables: { ...stepVariables(stepsOf(plan)), ...imageVariables(image, plan, root) },
    models: plan.models.map((model) => ({
      id: model.id,
      name: model.name,
      version: model.version,
      folder: join(root, modelFolder(model)),
    })),
  };
}

async function presentEnvironment(
  deps: BundleDependencies,
  { environmentRoot, environmentRequest, imported }: BuiltImage,
  imageId: string,
  signal: AbortSignal,
): Promise<string | null> {
  const run = { signal, say: () => {} };
  if (imported !== undefined) {
    const { environmentLayer } = imported;
    if (environmentLayer === null) return null;
    return (await layerEnvironment(deps, imageId, environmentLayer, run)).root;
  }
  if (environmentRoot === null || environmentRequest === null) return null;
  // Through the link to the interpreter: it may have been removed, too.
  const present = await stat(join(environmentRoot, "bin", "python")).then(
    () => true,
    () => false,
  );
  if (present) return environmentRoot;
  return (await deps.environments.prepare(environmentRequest, run)).root;
}
