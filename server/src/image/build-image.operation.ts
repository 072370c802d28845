import { type EnvironmentRequest, type EnvironmentService, wholeLock } from "../environment/index.ts";
import { defineOperation, need, operationCancelled, type StepContext } from "../operation/index.ts";
import { ownArchitecture } from "../platform/architecture.ts";
import type { AppError } from "../platform/errors.ts";
import type { AppFolders } from "./app-folder.ts";
import { assembleLayers } from "./assemble-layers.ts";
import { azuremlImport } from "./azureml-import.ts";
import type { BaseCredentials } from "./base/base-credentials.ts";
import type { BaseResolver } from "./base/base-image.ts";
import { findBase, type Standing } from "./base/find-base.ts";
import { borrowsInterpreter } from "./configuration-layer.ts";
import type { Image, ImagePlan, ImageProof, ImageState } from "./image.ts";
import { architectureOf } from "./image-architecture.ts";
import { type InputReaders, planImage } from "./image-inputs.ts";
import type { ImageLayer, LayerDependencies } from "./image-layers.ts";
import { writeManifest } from "./image-manifest.ts";
import { imageSettings } from "./image-settings.ts";
import type { ImageProofs } from "./proof/image-proofs.ts";
import type { RebuildInput } from "./rebuild-image.ts";
import type { RuntimeTrees } from "./runtime/runtime-tree.ts";
import { type Foundation, IN_CONTAINERS_ONLY, type StepLayers } from "./steps/docker-steps-layers.ts";

export const IMAGE_BUILD = "image.build";

export interface BuildImageInput {
  /** `name:version` */
  readonly imageId: string;
  readonly linkSecret: string;
  readonly rebuild?: RebuildInput;
}

export interface BuildImageState {
  readonly plan: ImagePlan;
  readonly environment: BuiltEnvironment | null;
  /** null: the image stands on nothing, for the reason in `missing` */
  readonly standing: Standing | null;
  readonly missing: string;
  /** null: no Docker step runs anything */
  readonly foundation: Foundation | null;
  readonly layers: readonly ImageLayer[];
  readonly digest: string;
  readonly proofs: readonly ImageProof[];
}

export interface BuiltEnvironment {
  readonly id: string;
  readonly root: string;
  readonly pythonVersion: string;
  readonly lockDigest: string;
  readonly warnings: readonly string[];
  readonly request: EnvironmentRequest;
}

export interface BuildImageDependencies extends InputReaders, LayerDependencies {
  readonly environments: EnvironmentService;
  readonly folders: AppFolders;
  readonly bases: BaseResolver;
  readonly baseCredentials: BaseCredentials;
  readonly runtimes: RuntimeTrees;
  readonly steps: StepLayers;
  readonly proofs: ImageProofs;
}

type Context = StepContext<BuildImageInput, BuildImageState>;

const MINUTE_MS = 60_000;

export function buildImageOperation(deps: BuildImageDependencies) {
  const { store, registry, blobs, folders, environments } = deps;

  async function imageOf(context: Context): Promise<Image> {
    const image = await store.find(context.workspaceId, context.input.imageId);
    // Somebody deleted it under the build.
    if (image === undefined) throw operationCancelled();
    return image;
  }

  return defineOperation<BuildImageInput, BuildImageState>({
    kind: IMAGE_BUILD,
    version: 2,
    steps: [
      {
        name: "check inputs",
        timeoutMs: MINUTE_MS,
        async run(context) {
          const image = await imageOf(context);
          await store.setState(context.workspaceId, image.id, "Running", null);
          const plan = context.input.rebuild?.plan ?? (await planImage(deps, image));
          for (const line of sayInputs(image, plan)) context.say(line);
          return { plan };
        },
      },
      {
        name: "unpack code",
        timeoutMs: 20 * MINUTE_MS,
        async run(context) {
          const { notes } = await folders.layOut(need(context.state, "plan"), context.signal);
          for (const note of notes) context.say(note);
          return undefined;
        },
      },
      {
        name: "prepare environment",
        timeoutMs: 60 * MINUTE_MS,
        async run(context) {
          const plan = need(context.state, "plan");
          if (plan.runtime === "onnx") return { environment: null };
          const { root } = await folders.layOut(plan, context.signal);
          const request =
            context.input.rebuild?.environmentRequest ?? (await environmentRequest(await imageOf(context), plan, root));
          const prepared = await environments.prepare(request, context);
          context.say(
            `Environment ${prepared.id.slice(0, 12)}: Python ${prepared.pythonVersion}, ${prepared.packages.length} packages.`,
          );
          const lock = await blobs.put(once(wholeLock(prepared)), { signal: context.signal });
          const { id, root: tree, pythonVersion, warnings, resolver } = prepared;
          // What was chosen stays chosen: a deployment must find the same environment, whatever the network does by then.
          const chosen = { ...request, resolver };
          return { environment: { id, root: tree, pythonVersion, warnings, lockDigest: lock.digest, request: chosen } };
        },
      },
      {
        name: "find base",
        timeoutMs: 30 * MINUTE_MS,
        async run(context) {
          const image = await imageOf(context);
          const { environment = null } = context.state;
          const borrows = environment !== null && (await borrowsInterpreter(environment.root));
          const { architecture } = architectureOf(image.targetRuntime.targetArchitecture);
          const found = await findBase(
            deps,
            {
              ...{ image, architecture, plan: need(context.state, "plan") },
              // An environment with a Python of its own stands on any base.
              pythonVersion: borrows ? environment.pythonVersion : undefined,
              refresh: context.input.rebuild !== undefined,
            },
            context,
          );
          if ("missing" in found) {
            context.say(
              `Warning: the image has no base, so it runs as a process only, not in containers. ${found.missing}`,
            );
            return { standing: null, ...found };
          }
          context.say(`Base ${found.base.reference}: ${found.base.digest.slice(0, 19)}.`);
          return { standing: found };
        },
      },
      {
        name: "run docker steps",
        timeoutMs: 240 * MINUTE_MS,
        async run(context) {
          const { architecture } = architectureOf((await imageOf(context)).targetRuntime.targetArchitecture);
          const { standing, missing = "" } = context.state;
          const plan = need(context.state, "plan");
          return { foundation: await deps.steps.lay(plan, architecture, standing?.base ?? { missing }, context) };
        },
      },
      {
        name: "assemble layers",
        timeoutMs: 60 * MINUTE_MS,
        async run(context) {
          const { environment = null, standing = null, foundation = null } = context.state;
          const inputs = { image: await imageOf(context), plan: need(context.state, "plan"), environment };
          const layers = await assembleLayers(deps, { ...inputs, standing, foundation }, context.signal);
          for (const layer of layers) {
            context.say(`Layer ${layer.title}: ${layer.digest.slice(0, 19)}${layer.reused ? ", unchanged" : ""}.`);
          }
          return { layers };
        },
      },
      {
        name: "write manifest",
        timeoutMs: MINUTE_MS,
        async run(context) {
          const image = await imageOf(context);
          const written = await writeManifest(registry, image, need(context.state, "plan"), {
            ...architectureOf(image.targetRuntime.targetArchitecture),
            base: context.state.standing?.base ?? null,
            layers: need(context.state, "layers"),
          });
          const repository = { workspaceId: context.workspaceId, name: image.name };
          await registry.tagManifest(repository, String(image.version), written.manifest, written.contents);
          return { digest: written.manifest.digest };
        },
      },
      {
        name: "attach proofs",
        timeoutMs: 10 * MINUTE_MS,
        async run(context) {
          const { environment = null } = context.state;
          const image = await imageOf(context);
          const { digest, plan } = { digest: need(context.state, "digest"), plan: need(context.state, "plan") };
          return { proofs: await deps.proofs.write(image, digest, plan, environment, context.signal) };
        },
      },
      {
        name: "mark ready",
        timeoutMs: MINUTE_MS,
        async run(context) {
          const image = await imageOf(context);
          const { environment = null, standing = null } = context.state;
          const { architecture } = architectureOf(image.targetRuntime.targetArchitecture);
          const digest = need(context.state, "digest");
          const ready = await store.markReady(context.workspaceId, image.id, {
            digest,
            contentKey: folders.key(need(context.state, "plan")),
            properties: { ...image.properties, ...environmentProperties(environment), ...baseProperties(context) },
            built: {
              plan: need(context.state, "plan"),
              environmentRoot: environment?.root ?? null,
              environmentId: environment?.id ?? null,
              environmentRequest: environment?.request ?? null,
              lockDigest: environment?.lockDigest ?? null,
              proofs: need(context.state, "proofs"),
              architecture,
              base: standing && {
                reference: standing.base.reference,
                digest: standing.base.digest,
                user: imageSettings(image, need(context.state, "plan"), standing.base).user,
              },
            },
          });
          if (!ready) throw operationCancelled();
          context.say(`Image ${image.id} is ready: ${digest}.`);
          return undefined;
        },
      },
    ],

    async failed(context, error) {
      context.say(`The build ended: ${error.message}`);
      for (const detail of error.details) context.say(detail.message);
      const { code, message, details } = error;
      await store.setState(context.workspaceId, context.input.imageId, endState(error), { code, message, details });
      if ((await store.find(context.workspaceId, context.input.imageId)) === undefined) await forget(context);
    },
  });

  /** A build that was overtaken by the deletion of its image leaves no tag behind. */
  async function forget(context: Context): Promise<void> {
    const [name = "", tag = ""] = context.input.imageId.split(":");
    await registry.removeTag({ workspaceId: context.workspaceId, name }, tag);
  }
}

/** What an image is whose build or import has failed. */
export function endState(error: AppError): ImageState {
  if (error.kind === "canceled") return "Cancelled";
  return error.code === "StepTimeout" ? "TimedOut" : "Failed";
}

async function environmentRequest(image: Image, plan: ImagePlan, appRoot: string): Promise<EnvironmentRequest> {
  const importedAt = await azuremlImport(appRoot);
  const { architecture } = architectureOf(image.targetRuntime.targetArchitecture);
  return {
    ...(architecture !== ownArchitecture() && { architecture }),
    ...(image.targetRuntime.properties.installCuda === true && { gpu: true }),
    ...(plan.condaFile === null ? {} : { condaFile: plan.condaFile }),
    ...(plan.pipRequirements === null ? {} : { pipRequirements: plan.pipRequirements }),
    ...(importedAt === undefined ? {} : { azuremlImportedAt: importedAt }),
  };
}

function baseProperties({ state }: Context): Record<string, string> {
  const { standing, missing, foundation } = state;
  if (!standing) return { "slipway.base": `none: ${missing ?? ""}` };
  return {
    "slipway.base": `${standing.base.reference}@${standing.base.digest}`,
    ...(foundation && { "slipway.run-steps": IN_CONTAINERS_ONLY }),
  };
}

function environmentProperties(environment: BuiltEnvironment | null): Record<string, string> {
  if (environment === null) return {};
  return {
    "slipway.python": environment.pythonVersion,
    "slipway.environment": environment.id,
    ...(environment.request.resolver !== undefined && { "slipway.resolver": environment.request.resolver }),
    ...(environment.warnings.length > 0 && { "slipway.warnings": environment.warnings.join(" ") }),
  };
}

function* sayInputs(image: Image, plan: ImagePlan): Iterable<string> {
  yield `Building ${image.id} from ${plan.models.map((model) => model.id).join(", ") || "no model"}${plan.driver === null ? "; the ONNX runtime needs no script" : ` and ${plan.driver}`}.`;
  const { targetArchitecture, properties } = image.targetRuntime;
  const { architecture, exact } = architectureOf(targetArchitecture);
  if (!exact)
    yield `Warning: built for ${architecture}, the architecture of this machine, not for ${targetArchitecture}.`;
  if (properties.installCuda) yield "Warning: CUDA is not installed into images.";
}

async function* once(text: string): AsyncIterable<Uint8Array> {
  yield Buffer.from(text);
}
