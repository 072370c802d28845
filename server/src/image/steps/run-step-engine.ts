import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { ociArchitecture } from "../../platform/engine/engine-answers.ts";
import type { EngineClient } from "../../platform/engine/engine-client.ts";
import { AppError, errnoCode } from "../../platform/errors.ts";
import { newShortId } from "../../platform/ids.ts";
import type { Log } from "../../platform/log.ts";
import type { RunStep } from "./docker-steps-config.ts";
import { runStepNeedsEngine } from "./docker-steps-errors.ts";
import { SESSION_LABEL } from "./run-step-container.ts";
import { openSteps, type StepSettings, type Steps } from "./run-step-session.ts";

export interface StepEngineOptions extends Omit<StepSettings, "stepMs"> {
  /** 30 minutes if not given */
  readonly stepMs?: number;
  /** @throws {AppError} when there is none */
  readonly findEngine: () => Promise<EngineClient>;
  /** For layers on their way; made if missing. A folder in it is a build that runs, or one whose process was killed. */
  readonly folder: string;
  readonly log: Log;
}

export type StepEngine = ReturnType<typeof createStepEngine>;

const STEP_MS = 30 * 60_000;

/** Does RUN steps by Docker or Podman, and leaves nothing behind in there. */
export function createStepEngine(options: StepEngineOptions) {
  const { findEngine, folder, log } = options;

  async function describeEngine() {
    const engine = await findEngine();
    return { engine, architecture: ociArchitecture(await engine.info()) };
  }

  /** @throws {AppError} RunStepNeedsEngine when nobody here can do the step */
  async function engineFor(step: Pick<RunStep, "line" | "text">, architecture: string): Promise<EngineClient> {
    const needsEngine = (reason: string) => runStepNeedsEngine(step.line, step.text, reason);
    const found = await describeEngine().catch((error: unknown) => {
      throw error instanceof AppError ? needsEngine(error.message) : error;
    });
    if (found.architecture === architecture) return found.engine;
    throw needsEngine(`The one of this machine runs ${found.architecture}, and the image is for ${architecture}.`);
  }

  async function close(engine: EngineClient, session: string): Promise<void> {
    const label = { [SESSION_LABEL]: session };
    for (const { Id } of await engine.containers(label)) await engine.removeContainer(Id);
    // One that others stand on goes when they are gone.
    for (let before = Number.POSITIVE_INFINITY; ; ) {
      const images = await engine.images(label);
      if (images.length === 0) break;
      if (images.length >= before) throw new Error(`The engine keeps ${images.join(", ")}.`);
      before = images.length;
      for (const image of images) await engine.removeImage(image);
    }
    await rm(join(folder, session), { recursive: true, force: true });
  }

  async function closeOrTell(engine: EngineClient, session: string): Promise<void> {
    await close(engine, session).catch((error: unknown) => {
      log.warn("docker steps left something in the container engine; the next start removes it", { session, error });
    });
  }

  return {
    async check(step: Pick<RunStep, "line" | "text">, architecture: string): Promise<void> {
      await engineFor(step, architecture);
    },

    /** Lets `work` do steps, and removes all that they have left, however it ends. The engine is needed for the first one only. */
    async use<T>(architecture: string, work: (run: Steps["run"]) => Promise<T>): Promise<T> {
      let used: { readonly engine: EngineClient; readonly session: string; readonly steps: Steps } | undefined;
      const open = async (step: RunStep) => {
        const engine = await engineFor(step, architecture);
        const session = newShortId();
        const place = join(folder, session);
        await mkdir(place, { recursive: true, mode: 0o700 });
        return {
          engine,
          session,
          steps: openSteps(engine, session, place, { ...options, stepMs: options.stepMs ?? STEP_MS }),
        };
      };
      try {
        return await work(async (step, ...on) => {
          used ??= await open(step);
          return used.steps.run(step, ...on);
        });
      } finally {
        if (used !== undefined) await closeOrTell(used.engine, used.session);
      }
    },

    /** Removes what builds have left whose process was killed. To be called before the first build; it goes on beside them. */
    async tidy(): Promise<void> {
      const left = await readdir(folder).catch((error: unknown) => {
        if (errnoCode(error) !== "ENOENT") log.warn("docker steps have left something that cannot be read", { error });
        return [];
      });
      if (left.length === 0) return;
      const engine = await findEngine().catch((error: unknown) => {
        log.warn("no container engine to remove from it what docker steps have left", { error });
      });
      if (engine !== undefined) for (const session of left) await closeOrTell(engine, session);
    },
  };
}
