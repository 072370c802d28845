import type { AppFolders } from "./app-folder.ts";
import { borrowsInterpreter, configurationMembers, imageDescription } from "./configuration-layer.ts";
import type { Standing } from "./find-base.ts";
import type { Image, ImagePlan } from "./image.ts";
import {
  baseLayers,
  codeLayer,
  configurationLayer,
  environmentLayer,
  type ImageLayer,
  type LayerDependencies,
  modelLayer,
  runtimeLayer,
} from "./image-layers.ts";

export interface LayerInputs {
  readonly image: Image;
  readonly plan: ImagePlan;
  readonly environment: { readonly id: string; readonly root: string } | null;
  readonly standing: Standing | null;
}

/** In the order in which they change: what changes least lies lowest. */
export async function assembleLayers(
  deps: LayerDependencies & { readonly folders: AppFolders },
  { image, plan, environment, standing }: LayerInputs,
  signal: AbortSignal,
): Promise<ImageLayer[]> {
  const layers: ImageLayer[] = [];
  if (standing !== null) {
    layers.push(...baseLayers(standing.base));
    for (const { title, tree } of standing.runtimes) layers.push(await runtimeLayer(deps, title, tree, signal));
  }
  if (environment !== null) layers.push(await environmentLayer(deps, environment, signal));
  for (const model of plan.models) layers.push(await modelLayer(deps, model, signal));
  if (plan.runtime === "python") {
    const { root } = await deps.folders.layOut(plan, signal);
    layers.push(await codeLayer(deps, { root, key: deps.folders.key(plan) }, signal));
  }
  if (standing !== null) {
    const borrows = environment !== null && (await borrowsInterpreter(environment.root));
    const members = configurationMembers(imageDescription(image, plan), borrows ? standing.base.pythonPath : undefined);
    layers.push(await configurationLayer(deps, members, signal));
  }
  return layers;
}
