import type { Clock } from "../../platform/clock.ts";
import { AppError } from "../../platform/errors.ts";
import { createKeyedLock } from "../../platform/keyed-lock.ts";
import type { Log } from "../../platform/log.ts";
import { pause } from "../../platform/pause.ts";
import type { Deployment, ReplicaObservation, RunContext } from "../target.ts";
import { type LastStart, type RestartCount, restartAfter } from "./restart-back-off.ts";
import type { RunFolder } from "./run-folder.ts";

/** What a target can do with one replica; `Look` is what it sees of it at one moment. */
export interface ReplicaKeeper<Look> {
  /** @param patient the scorer may take a second for its answer if it is starting */
  look(run: RunFolder, patient: boolean): Promise<Look>;
  describe(run: RunFolder, look: Look, nowMs: number): ReplicaObservation;
  /** True for what will become ready or say why not. A failure that was told before is not told again: asked again, we try again. */
  isOnItsWay(look: Look, nowMs: number): boolean;
  /** it answers its last requests and ends */
  isDraining(look: Look): boolean;
  lastStart(look: Look): LastStart | undefined;
  /** it was lost with what carries it */
  isBlameless(look: Look): boolean;
  /** Ends whatever may run in the folder. */
  stop(run: RunFolder, options: { readonly signal: AbortSignal; readonly drain: boolean }): Promise<void>;
  start(deployment: Deployment, run: RunFolder, count: RestartCount, context: RunContext): Promise<void>;
  /** Keeps what the next look must know. */
  remember(run: RunFolder, look: Look, replica: ReplicaObservation, now: string): Promise<void>;
}

/** How often a starting scorer is looked for that has no socket yet. */
const POLL_MS = 20;

/** Starts what does not run, adopts what does, and waits until it is ready or certain not to be. */
export function createBringUp<Look>(
  keeper: ReplicaKeeper<Look>,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
) {
  const lock = createKeyedLock();

  async function bringUp(
    deployment: Deployment,
    run: RunFolder,
    index: number,
    context: RunContext,
  ): Promise<ReplicaObservation> {
    const name = `replica ${index + 1} of ${deployment.replicas}`;
    try {
      // One start at a time: two calls for one deployment must not make two scorers.
      const start = () => lock(run.replicaId, () => ensureStarted(deployment, run, name, context));
      for (let waitMs = await start(); waitMs > 0; waitMs = await start()) {
        context.say(`Waiting ${Math.ceil(waitMs / 1000)} s before ${name} is started again.`);
        await pause(waitMs, context.signal);
      }
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      log.warn("a replica could not be started", { replica: run.replicaId, error });
      return notStarted(run, error);
    }
    return untilSettled(run, name, context);
  }

  /** @returns milliseconds to wait before asking again: it failed too often to be started at once */
  async function ensureStarted(
    deployment: Deployment,
    run: RunFolder,
    name: string,
    context: RunContext,
  ): Promise<number> {
    const { signal, say } = context;
    signal.throwIfAborted();
    const found = await keeper.look(run, false);
    const nowMs = clock.now().getTime();
    if (keeper.isOnItsWay(found, nowMs)) return 0;
    const restart = restartAfter(keeper.lastStart(found), nowMs, keeper.isBlameless(found));
    if (restart.delayMs > 0) return restart.delayMs;
    // Also when nothing seems to run: what a crash or an outside hand left must not share the folder with the new scorer.
    await keeper.stop(run, { signal, drain: keeper.isDraining(found) });
    say(`Starting ${name}.`);
    log.info("starting a replica", {
      replica: run.replicaId,
      service: deployment.service,
      restarts: restart.count.restarts,
    });
    await keeper.start(deployment, run, restart.count, context);
    return 0;
  }

  async function untilSettled(run: RunFolder, name: string, { signal, say }: RunContext): Promise<ReplicaObservation> {
    for (;;) {
      // Once its socket is there, the scorer itself answers at the moment when the start is over.
      const found = await keeper.look(run, true);
      const now = clock.now();
      const replica = keeper.describe(run, found, now.getTime());
      await keeper.remember(run, found, replica, now.toISOString());
      if (replica.state === "ready") say(`Ready: ${name}${times(replica)}.`);
      if (replica.state !== "starting") return replica;
      await pause(POLL_MS, signal);
    }
  }

  return {
    bringUp,
    /** Work on one replica, while nobody starts it. */
    alone: <Result>(run: RunFolder, work: () => Promise<Result>) => lock(run.replicaId, work),
  };
}

function notStarted(run: RunFolder, { code, message }: AppError): ReplicaObservation {
  return { id: run.replicaId, state: "failed", cause: { code, message }, restarts: 0, memoryBytes: 0, timings: {} };
}

function times({ timings }: ReplicaObservation): string {
  const parts = Object.entries(timings).map(([phase, ms]) => `${phase} ${Math.round(ms)} ms`);
  return parts.length === 0 ? "" : ` (${parts.join(", ")})`;
}
