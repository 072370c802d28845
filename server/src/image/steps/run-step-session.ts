import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { EngineClient } from "../../platform/engine/engine-client.ts";
import { loadImage } from "../../platform/engine/load-image.ts";
import type { Limit } from "../../platform/engine/own-limits.ts";
import { takeSavedLayer } from "../../platform/engine/saved-layer.ts";
import { AppError } from "../../platform/errors.ts";
import type { Platform } from "../../registry/index.ts";
import { endOfTar } from "../../registry/remote/index.ts";
import type { RunStep } from "./docker-steps-config.ts";
import { runStepFailed, runStepNotStarted, runStepTooLong } from "./docker-steps-errors.ts";
import { stepContainer } from "./run-step-container.ts";
import { type StepLayer, stepImage } from "./run-step-image.ts";
import { relayOutput } from "./run-step-output.ts";

export interface StepSettings {
  readonly network: "bridge" | "none";
  readonly limits: readonly Limit[];
  /** how long one step may take */
  readonly stepMs: number;
}

export interface StepContext {
  readonly signal: AbortSignal;
  say(text: string): void;
}

/** A layer as the engine has made it; the file goes with the session. */
export interface MadeLayer {
  /** plain tar */
  readonly file: string;
  readonly diffId: string;
}

/** For what the engine does without a word: commit and save copy gigabytes. */
const SILENCE_MS = 15 * 60_000;
/** Of a tar with no members. */
const EMPTY_DIFF_ID = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef";

/** The RUN steps of one build. What they leave in the engine and in `folder` is labelled with `name` and somebody else's to remove. */
export function openSteps(engine: EngineClient, name: string, folder: string, settings: StepSettings) {
  const loaded: string[] = [];
  const repository = `localhost/slipway-docker-steps/${name}`;

  async function load(platform: Platform, lower: readonly StepLayer[], context: StepContext): Promise<string> {
    const reference = `${repository}:on-${loaded.length + 1}`;
    const title = "that the step runs on";
    await loadImage(engine, title, stepImage(platform, lower, name), reference, loaded, context);
    loaded.unshift(reference);
    return reference;
  }

  /** @returns the id of the container, which has ended well */
  async function runIn(image: string, step: RunStep, { signal, say }: StepContext): Promise<string> {
    const patience = { signal, silenceMs: settings.stepMs + SILENCE_MS };
    const info = await engine.info();
    const container = stepContainer({ ...settings, step, image, session: name, info });
    const id = await engine.createContainer(`slipway-docker-steps-${name}-${loaded.length}`, container);
    if (id === undefined || id === "conflict") throw new Error(`The engine has lost the image ${image}.`);
    await engine.startContainer(id).catch((error: unknown) => {
      if (!(error instanceof AppError) || error.code !== "EngineRefused") throw error;
      throw runStepNotStarted(step.line, step.text, error.message);
    });
    const lastLines = await relayOutput(engine.followOutput(id, patience), (line) => say(`  ${line}`));
    const exitCode = await engine.waitContainer(id, patience);
    if (exitCode !== 0) {
      const outOfMemory = (await engine.container(id))?.State.OOMKilled === true;
      throw runStepFailed(step.line, step.text, { exitCode, outOfMemory }, lastLines);
    }
    return id;
  }

  async function saveChanges(id: string, lower: readonly StepLayer[], signal: AbortSignal): Promise<MadeLayer> {
    const patience = { signal, silenceMs: SILENCE_MS };
    const tag = `made-${loaded.length}`;
    await engine.commitContainer(id, repository, tag, patience);
    const reference = `${repository}:${tag}`;
    const layers = (await engine.image(reference))?.RootFS?.Layers ?? [];
    const file = join(folder, `${tag}.tar`);
    const diffId = layers[lower.length];
    // A step that changes nothing has no layer in some engines, and the same as others in some.
    if (diffId === undefined || diffId === EMPTY_DIFF_ID) {
      await writeFile(file, endOfTar);
      return { file, diffId: EMPTY_DIFF_ID };
    }
    const others = lower.flatMap((layer) => [layer.digest, layer.diffId]).filter((digest) => digest !== diffId);
    if (!(await takeSavedLayer(engine.saveImage(reference, patience), diffId, others, file, signal))) {
      throw new Error(`The engine has saved the image ${reference} without its layer ${diffId}.`);
    }
    return { file, diffId };
  }

  return {
    /**
     * Does one step.
     *
     * @param lower what it runs on, lowest first
     * @throws {AppError} RunStepFailed, RunStepTooLong, and what the engine says
     */
    async run(
      step: RunStep,
      platform: Platform,
      lower: readonly StepLayer[],
      context: StepContext,
    ): Promise<MadeLayer> {
      const image = await load(platform, lower, context);
      const limit = AbortSignal.timeout(settings.stepMs);
      const signal = AbortSignal.any([context.signal, limit]);
      const id = await runIn(image, step, { ...context, signal }).catch((error: unknown) => {
        context.signal.throwIfAborted();
        if (limit.aborted) throw runStepTooLong(step.line, step.text, Math.ceil(settings.stepMs / 60_000));
        throw error;
      });
      return saveChanges(id, lower, context.signal);
    },
  };
}

export type Steps = ReturnType<typeof openSteps>;
