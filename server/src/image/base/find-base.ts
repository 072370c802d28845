import { AppError } from "../../platform/errors.ts";
import type { Image, ImagePlan } from "../image.ts";
import type { RuntimeTree, RuntimeTrees } from "../runtime/runtime-tree.ts";
import { stepsOf } from "../steps/docker-steps.ts";
import type { BaseCredentials } from "./base-credentials.ts";
import type { BaseResolver, ResolvedBase } from "./base-image.ts";

/** What an image needs to run by itself: an operating system, and the programs of Slipway. All of it, or nothing. */
export interface Standing {
  readonly base: ResolvedBase;
  readonly runtimes: readonly { readonly title: string; readonly tree: RuntimeTree }[];
}

export interface BaseQuestion {
  readonly image: Image;
  readonly plan: ImagePlan;
  readonly architecture: string;
  /** X.Y.Z of the environment; undefined without one */
  readonly pythonVersion: string | undefined;
  /** look at it again, although its digest is kept */
  readonly refresh: boolean;
}

interface RunContext {
  readonly signal: AbortSignal;
  say(text: string): void;
}

/**
 * Finds what the image will stand on.
 *
 * @returns the reason in words when there is nothing: the image is then built without, and runs as a process only
 */
export async function findBase(
  deps: { readonly bases: BaseResolver; readonly baseCredentials: BaseCredentials; readonly runtimes: RuntimeTrees },
  { image, plan, architecture, pythonVersion, refresh }: BaseQuestion,
  context: RunContext,
): Promise<Standing | { readonly missing: string }> {
  const baseImage = stepsOf(plan)?.from ?? image.targetRuntime.properties.baseImage;
  try {
    const base = await deps.bases.resolve({
      workspaceId: image.workspaceId,
      ...(typeof baseImage === "string" && baseImage !== "" && { reference: baseImage }),
      credentials: await deps.baseCredentials.find(image.workspaceId, image.id),
      pythonVersion,
      architecture,
      refresh,
      signal: context.signal,
      say: context.say,
    });
    const scorer = { title: `runtime ${architecture}`, tree: await deps.runtimes.scorer(architecture, context) };
    if (plan.runtime === "python") return { base, runtimes: [scorer] };
    const onnx = { title: `onnxruntime ${architecture}`, tree: await deps.runtimes.onnx(architecture, context) };
    return { base, runtimes: [scorer, onnx] };
  } catch (error) {
    context.signal.throwIfAborted();
    // Everything else that the image consists of is there and serves as a process of this machine.
    if (!(error instanceof AppError)) throw error;
    return { missing: error.message };
  }
}
