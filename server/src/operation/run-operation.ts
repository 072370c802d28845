import { setTimeout as delay } from "node:timers/promises";
import { type AppError, toAppError } from "../platform/errors.ts";
import type { Log } from "../platform/log.ts";
import type { OperationDefinition, StepContext } from "./define-operation.ts";
import { isTerminal, type Operation, operationError } from "./operation.ts";
import { operationCancelled, operationCrashLoop, operationVersionChanged, stepTimeout } from "./operation-errors.ts";
import type { OperationNews } from "./operation-news.ts";
import type { Claim, OperationStore } from "./operation-store.ts";

/** An operation that takes the process down with it must not do so for ever. Orderly stops do not count. */
const MAX_ATTEMPTS = 5;
/** A step that was told to stop may still hold something half made; putting it away beside the running step would leave it behind. */
const LET_GO_MS = 10_000;
/** Putting away waits for replicas to stop and for the gateway; longer means that something hangs, and the operation must end all the same. */
const PUT_AWAY_MS = 120_000;
/** News of this process arrive at once; this is only for what another process may have written. */
const FOLLOW_POLL_MS = 1_000;

/** Another runner has the operation now: this one must touch nothing any more, the resource least of all. */
export const LEASE_LOST = new Error("The lease was lost.");

export interface RunSurroundings {
  readonly store: OperationStore;
  readonly news: OperationNews;
  readonly log: Log;
  /** aborted when the control plane stops: the operation is let go, not failed */
  readonly stopping: AbortSignal;
}

/** Runs one claimed operation from its checkpoint to its end. `abort` ends it early; its reason says why. */
export async function runOperation(
  { operation, lease, attempt }: Claim,
  definition: OperationDefinition | undefined,
  abort: AbortController,
  { store, news, log, stopping }: RunSurroundings,
): Promise<void> {
  let state = operation.state;
  let logWritten: Promise<void> = Promise.resolve();
  const say = (text: string) => {
    // One after another, so that the lines keep their order; a line that cannot be stored must not end the operation.
    logWritten = logWritten
      .then(() => store.appendLog(operation.id, text))
      .then(() => news.tell(operation.id))
      .catch((error) => log.error("operation log line lost", { operation: operation.id, error }));
  };
  const context = (signal: AbortSignal): StepContext<unknown, Record<string, unknown>> => ({
    operationId: operation.id,
    workspaceId: operation.workspaceId,
    input: operation.input,
    state,
    signal,
    say,
    follow: (id) => follow(id, operation.workspaceId, say, signal),
  });

  try {
    await runSteps();
    await logWritten;
    await store.finish(lease, "Succeeded", null);
  } catch (thrown) {
    if (stopping.aborted) await store.release(lease);
    else if (abort.signal.reason !== LEASE_LOST)
      await fail(toAppError(abort.signal.aborted ? abort.signal.reason : thrown));
  } finally {
    await logWritten;
    news.tell(operation.id);
  }

  async function runSteps(): Promise<void> {
    if (definition === undefined || definition.version !== operation.version) {
      throw operationVersionChanged(operation.kind, operation.version, definition?.version);
    }
    if (attempt > MAX_ATTEMPTS) throw operationCrashLoop(attempt - 1, operation.step);
    // Steps before the checkpoint are done; the one at the checkpoint may have begun and is run again.
    const at = definition.steps.findIndex((step) => operation.step === null || step.name === operation.step);
    if (at === -1) throw operationVersionChanged(operation.kind, operation.version, definition.version);
    const left = definition.steps.slice(at);
    await checkpoint(left[0]?.name ?? null);
    for (const [index, step] of left.entries()) {
      const output = await runStep(step.name, step.timeoutMs, abort.signal, (signal) => step.run(context(signal)));
      state = { ...state, ...output };
      await checkpoint(left[index + 1]?.name ?? step.name);
      news.tell(operation.id);
    }
  }

  async function checkpoint(step: string | null): Promise<void> {
    const { held, cancelRequested } = await store.checkpoint(lease, step, state);
    if (!held) abort.abort(LEASE_LOST);
    else if (cancelRequested) abort.abort(operationCancelled());
    abort.signal.throwIfAborted();
  }

  async function fail(error: AppError): Promise<void> {
    const about = { operation: operation.id, kind: operation.kind };
    log.warn("operation failed", { ...about, code: error.code, error: error.message, cause: error.cause });
    try {
      // Putting away may itself be what ends the process: one more attempt than the steps have, then without it.
      if (attempt <= MAX_ATTEMPTS + 1) {
        await runStep("put away", PUT_AWAY_MS, stopping, async (signal) =>
          definition?.failed?.(context(signal), error),
        );
      }
    } catch (second) {
      if (stopping.aborted) {
        await store.release(lease);
        return;
      }
      log.error("operation could not be put away cleanly", { ...about, error: second });
    }
    await logWritten;
    const status = error.kind === "canceled" ? "Cancelled" : error.code === "StepTimeout" ? "TimedOut" : "Failed";
    await store.finish(lease, status, operationError(error));
  }

  async function follow(
    id: string,
    workspaceId: string,
    tell: (text: string) => void,
    signal: AbortSignal,
  ): Promise<Operation> {
    using watch = news.watch(id);
    // After a crash the first lines were relayed already.
    const relayed = new Set((await store.log(operation.id)).map((entry) => entry.text));
    for (let told = 0; ; ) {
      signal.throwIfAborted();
      const followed = await store.find(workspaceId, id);
      if (followed === undefined) throw new Error(`The operation ${id} to wait for is gone.`);
      const entries = await store.log(id);
      for (const { text } of entries.slice(told)) if (!relayed.has(text)) tell(text);
      told = entries.length;
      if (isTerminal(followed.status)) return followed;
      await watch.next(FOLLOW_POLL_MS, signal);
    }
  }
}

/** Runs one step under its deadline and `parent`. Throws the reason of whichever ended it, after the step has let go. */
async function runStep<T>(
  name: string,
  timeoutMs: number,
  parent: AbortSignal,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(stepTimeout(name, Math.round(timeoutMs / 1000))), timeoutMs);
  const signal = AbortSignal.any([parent, deadline.signal]);
  try {
    signal.throwIfAborted();
    const work = run(signal);
    const ended = work.then(
      () => {},
      () => {},
    );
    await Promise.race([ended, new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }))]);
    if (!signal.aborted) return await work;
    await Promise.race([ended, delay(LET_GO_MS, undefined, { ref: false })]);
    throw signal.reason;
  } finally {
    clearTimeout(timer);
  }
}
