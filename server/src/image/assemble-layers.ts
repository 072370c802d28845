import type { AppFolders } from "./app-folder.ts";
import { codeFiles } from "./app-folder.ts";
import type { Standing } from "./base/find-base.ts";
import { borrowsInterpreter, configurationMembers, imageDescription } from "./configuration-layer.ts";
import type { Image, ImagePlan } from "./image.ts";
import {
  baseLayers,
  codeLayer,
  configurationLayer,
  copiedLayer,
  environmentLayer,
  type ImageLayer,
  type LayerDependencies,
  modelLayer,
  runtimeLayer,
} from "./image-layers.ts";
import { stepsOf } from "./steps/docker-steps.ts";
import { applyDockerSteps, NO_BASE } from "./steps/docker-steps-config.ts";
import { copiedFiles } from "./steps/docker-steps-copy.ts";
import { type Foundation, splitChanges } from "./steps/docker-steps-layers.ts";

export interface LayerInputs {
  readonly image: Image;
  readonly plan: ImagePlan;
  readonly environment: { readonly id: string; readonly root: string } | null;
  readonly standing: Standing | null;
  readonly foundation: Foundation | null;
}

/** In the order in which they change: what changes least lies lowest. */
export async function assembleLayers(
  deps: LayerDependencies & { readonly folders: AppFolders },
  { image, plan, environment, standing, foundation }: LayerInputs,
  signal: AbortSignal,
): Promise<ImageLayer[]> {
  const { base, runtimes } = standing ?? { base: null, runtimes: [] };
  // Each is hashed in a thread of its own; the models, which are read from one disk, one after the other.
  const [environments, ...programs] = await Promise.all([
    environment === null ? [] : environmentLayer(deps, environment, signal).then((layer) => [layer]),
    ...runtimes.map(({ title, tree }) => runtimeLayer(deps, title, tree, signal)),
  ]);
  const layers: ImageLayer[] = [
    ...(base === null ? [] : baseLayers(base)),
    ...(foundation?.layers ?? []),
    ...programs,
    ...environments,
  ];
  const steps = stepsOf(plan);
  if (steps !== null) {
    const { root } = await deps.folders.layOut(plan, signal);
    const files = plan.runtime === "python" ? await codeFiles(root) : [];
    const { above } = splitChanges(applyDockerSteps(base?.config ?? NO_BASE, steps).changes);
    const copied = copiedFiles(above, files, foundation?.links ?? base?.links ?? {});
    const code = { root, key: deps.folders.key(plan) };
    if (copied.length > 0) layers.push(await copiedLayer(deps, code, copied, "code", signal));
  }
  for (const model of plan.models) layers.push(await modelLayer(deps, model, signal));
  if (plan.runtime === "python") {
    const { root } = await deps.folders.layOut(plan, signal);
    layers.push(await codeLayer(deps, { root, key: deps.folders.key(plan) }, signal));
  }
  if (base !== null) {
    const borrows = environment !== null && (await borrowsInterpreter(environment.root));
    const members = configurationMembers(imageDescription(image, plan), borrows ? base.pythonPath : undefined, {
      // Whoever writes RUN pip install wants to import it.
      seesBase: foundation !== null,
    });
    layers.push(await configurationLayer(deps, members, signal));
  }
  return layers;
}
