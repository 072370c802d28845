import { createHash } from "node:crypto";
import type { Kysely } from "kysely";
import type { Clock } from "../../platform/clock.ts";
import { type Layer, mediaTypes, type Platform } from "../../registry/index.ts";
import { readLayerMembers } from "../../registry/remote/index.ts";
import { type AppFolders, codeFiles } from "../app-folder.ts";
import type { ResolvedBase } from "../base/base-image.ts";
import { type LayerPythons, notePythons, visibleLinks, visiblePython } from "../base/base-python.ts";
import { createBaseStore } from "../base/base-store.ts";
import type { BaseTables } from "../base/base-tables.ts";
import type { ImagePlan } from "../image.ts";
import { copiedLayer, type ImageLayer, type LayerDependencies, once } from "../image-layers.ts";
import { parseDockerSteps, stepsOf } from "./docker-steps.ts";
import { applyDockerSteps, type CopyStep, NO_BASE, type RunStep } from "./docker-steps-config.ts";
import { copiedFiles } from "./docker-steps-copy.ts";
import { dockerStepInvalid, runStepNeedsBase } from "./docker-steps-errors.ts";
import { readStepChanges, writeStepLayer } from "./run-step-changes.ts";
import type { StepEngine } from "./run-step-engine.ts";
import type { StepLayer } from "./run-step-image.ts";
import type { StepContext, Steps } from "./run-step-session.ts";

export interface StepLayersDependencies<Tables extends BaseTables> extends LayerDependencies {
  readonly database: Kysely<Tables>;
  readonly clock: Clock;
  readonly folders: AppFolders;
  readonly engine: StepEngine;
}

/** What the steps up to the last RUN have made of the base. */
export interface Foundation {
  /** upon those of the base, lowest first */
  readonly layers: readonly ImageLayer[];
  /** links to folders high up, of the base or made by steps */
  readonly links: Readonly<Record<string, string>>;
}

export const IN_CONTAINERS_ONLY =
  "What RUN steps change is there in containers only; a service that runs as a process of this machine does not see it.";

export type StepLayers = ReturnType<typeof createStepLayers>;

/** Layers of Docker steps that stand on the base, because a RUN step must find them there. */
export function createStepLayers<Tables extends BaseTables>(deps: StepLayersDependencies<Tables>) {
  const { registry, blobs, engine } = deps;
  const baseStore = createBaseStore(deps.database, deps.clock);

  /** Reads the layer as any that comes from elsewhere, and remembers what it does to interpreters and links. */
  async function pythonsOf(digest: string, signal: AbortSignal): Promise<LayerPythons> {
    const known = await baseStore.findPythons(digest);
    if (known !== undefined) return known;
    const notes = notePythons();
    const layer = { digest, diffId: digest, mediaType: mediaTypes.layer };
    await readLayerMembers(layer, blobs.read(digest), notes.member, signal);
    await baseStore.rememberPythons(digest, notes.result());
    return notes.result();
  }

  async function engineLayer(digest: string): Promise<StepLayer> {
    const layer = await registry.findLayer(digest);
    const content = layer && (await registry.layerContent(layer));
    if (content === undefined) throw new Error(`The layer ${digest} is not whole in the registry.`);
    return { ...content, diffId: layer?.diffId ?? digest };
  }

  async function make(
    run: Steps["run"],
    step: RunStep,
    platform: Platform,
    lower: readonly string[],
    context: StepContext,
  ): Promise<Layer> {
    const made = await run(step, platform, await Promise.all(lower.map(engineLayer)), context);
    const changes = await readStepChanges(made.file, made.diffId, context.signal);
    const [forbidden] = changes.forbidden;
    if (forbidden !== undefined) throw dockerStepInvalid(step.line, `/${forbidden} belongs to Slipway`);
    for (const name of changes.leftOut) context.say(`/${name} is no file and is left out.`);
    const { digest, sizeBytes } = await blobs.put(writeStepLayer(made.file, changes), { signal: context.signal });
    return registry.addStoredLayer({ digest, diffId: digest, mediaType: mediaTypes.layer, sizeBytes });
  }

  async function lay(
    plan: ImagePlan,
    base: ResolvedBase,
    changes: readonly (CopyStep | RunStep)[],
    run: Steps["run"],
    context: StepContext,
  ): Promise<Foundation> {
    const { root } = await deps.folders.layOut(plan, context.signal);
    const code = { root, key: deps.folders.key(plan) };
    const files = plan.runtime === "python" ? await codeFiles(root) : [];
    const baseDigests = base.layers.map(({ digest }) => digest);
    const layers: ImageLayer[] = [];
    const pythons: LayerPythons[] = [];
    for (const group of grouped(changes)) {
      const links = { ...base.links, ...visibleLinks(pythons) };
      const lower = [...baseDigests, ...layers.map(({ digest }) => digest)];
      if (group.do === "copy") {
        layers.push(await copiedLayer(deps, code, copiedFiles(group.copies, files, links), "steps", context.signal));
      } else {
        const { step } = group;
        context.say(`Docker steps, line ${step.line}: RUN ${step.text.slice(0, 1_000)}`);
        const title = `steps RUN ${step.text.replaceAll(/\s+/g, " ").slice(0, 80)}`;
        const layer = await once(deps, "steps", title, contentOf(step, base, lower), () =>
          make(run, step, base.platform, lower, context),
        );
        if (layer.reused) context.say("  done before, on the same layers");
        layers.push(layer);
      }
      pythons.push(await pythonsOf(layers.at(-1)?.digest ?? "", context.signal));
      checkPython(base, pythons, group.do === "run" ? group.step.line : 1);
    }
    return { layers, links: { ...base.links, ...visibleLinks(pythons) } };
  }

  return {
    /**
     * Whether somebody here can do the RUN steps, if there are any.
     *
     * @throws {AppError} RunStepNeedsEngine
     */
    async check(text: string | null, architecture: string): Promise<void> {
      const step = text === null ? undefined : parseDockerSteps(text).steps.find((one) => one.do === "run");
      if (step?.do === "run") await engine.check(step, architecture);
    },

    /**
     * Does the steps up to the last RUN. A step that was done before upon the same layers is not done again.
     *
     * @param base or why there is none
     * @returns null without a RUN step
     * @throws {AppError} RunStepNeedsEngine, RunStepNeedsBase, RunStepFailed, RunStepTooLong, DockerStepInvalid, LayerInvalid
     */
    async lay(
      plan: ImagePlan,
      architecture: string,
      base: ResolvedBase | { readonly missing: string },
      context: StepContext,
    ): Promise<Foundation | null> {
      const steps = stepsOf(plan);
      if (steps === null) return null;
      const { changes } = applyDockerSteps("missing" in base ? NO_BASE : base.config, steps);
      const { below, firstRun } = splitChanges(changes);
      if (firstRun === undefined) return null;
      if ("missing" in base) throw runStepNeedsBase(firstRun.line, firstRun.text, base.missing);
      context.say(`Warning: ${IN_CONTAINERS_ONLY}`);
      return engine.use(architecture, (run) => lay(plan, base, below, run, context));
    },
  };
}

/** What must be there for the last RUN, and what is only copied after it. */
export function splitChanges(changes: readonly (CopyStep | RunStep)[]) {
  const last = changes.findLastIndex((change) => change.do === "run");
  return {
    below: changes.slice(0, last + 1),
    above: changes.slice(last + 1).filter((change) => change.do === "copy"),
    firstRun: changes.find((change) => change.do === "run"),
  };
}

type Group =
  | { readonly do: "run"; readonly step: RunStep }
  | { readonly do: "copy"; readonly copies: readonly CopyStep[] };

/** Files that are copied one after the other are one layer. */
function grouped(changes: readonly (CopyStep | RunStep)[]): Group[] {
  const groups: Group[] = [];
  for (const change of changes) {
    const last = groups.at(-1);
    if (change.do === "run") groups.push({ do: "run", step: change });
    else if (last?.do === "copy") groups[groups.length - 1] = { do: "copy", copies: [...last.copies, change] };
    else groups.push({ do: "copy", copies: [change] });
  }
  return groups;
}

/** Everything that decides what a step does, but for the network. */
function contentOf({ command, env, user, workingDirectory }: RunStep, base: ResolvedBase, lower: readonly string[]) {
  const variables = Object.entries(env).sort(([one], [other]) => (one < other ? -1 : 1));
  const facts = JSON.stringify([command, variables, user, workingDirectory, base.platform, lower]);
  return `run-step:${createHash("sha256").update(facts).digest("hex")}`;
}

/** The environment stands on the base's interpreter. */
function checkPython({ pythonPath }: ResolvedBase, pythons: readonly LayerPythons[], line: number): void {
  const minor = /\/python(3\.\d+)$/.exec(pythonPath ?? "")?.[1];
  if (pythonPath === undefined || minor === undefined) return;
  const found = { added: [pythonPath.slice(1)], hidden: [], links: {} };
  if (visiblePython([found, ...pythons], minor, undefined) !== undefined) return;
  throw dockerStepInvalid(line, `it takes away ${pythonPath}, which the environment stands on`);
}
