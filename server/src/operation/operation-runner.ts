import { setTimeout as delay } from "node:timers/promises";
import { type AppError, toAppError } from "../platform/errors.ts";
import { newUuid } from "../platform/ids.ts";
import type { Log } from "../platform/log.ts";
import type { OperationDefinition, StepContext } from "./define-operation.ts";
import { isTerminal, type Operation, operationError } from "./operation.ts";
import { operationCancelled, operationCrashLoop, operationVersionChanged, stepTimeout } from "./operation-errors.ts";
import type { Lease, OperationStore } from "./operation-store.ts";

/**
 * A lease that ends too early lets two runners work at once (fencing keeps the database right, but work is done twice);
 * one that ends too late delays the recovery after a crash. There is one control plane per data folder, and its start
 * releases all leases at once, so the long side costs nothing.
 */
const LEASE_MS = 60_000;
const RENEW_MS = 1_000;
/** An operation that takes the process down with it must not do so for ever. */
const MAX_ATTEMPTS = 5;
/** Builds and deploys wait mostly for other processes; more at once would only fight for two cores. */
const CONCURRENCY = 4;
const IDLE_POLL_MS = 1_000;

export interface OperationRunner {
  /** Makes an operation. Pass the transaction of the resource it belongs to; call {@link wake} after the commit. */
  enqueue(
    operation: { id?: string; workspaceId: string; kind: string; input: unknown; queue: string },
    transaction?: unknown,
  ): Promise<string>;
  wake(): void;
  cancel(id: string): Promise<void>;
  /** Resolves when the operation has news (log line, step, end) or after `maxMs`. */
  waitForNews(id: string, maxMs: number, signal?: AbortSignal): Promise<void>;
  waitForEnd(workspaceId: string, id: string, signal?: AbortSignal): Promise<Operation>;
  start(): Promise<void>;
  /** Lets go of running operations; they continue at the next start. */
  stop(): Promise<void>;
}

export function createOperationRunner(
  store: OperationStore,
  definitions: readonly OperationDefinition[],
  log: Log,
): OperationRunner {
  const byKind = new Map(definitions.map((definition) => [definition.kind, definition]));
  const owner = newUuid();
  const stopping = new AbortController();
  const running = new Map<string, AbortController>();
  const news = new Map<string, Set<() => void>>();
  const work = new Set<Promise<void>>();
  /** A wake-up that comes while the runner looks must not be lost: it would cost a second. */
  let woken = false;
  let resolveIdle: () => void = () => {};
  const wakeUp = () => {
    woken = true;
    resolveIdle();
  };
  let loop: Promise<void> | undefined;

  function tell(id: string): void {
    for (const listener of [...(news.get(id) ?? [])]) listener();
  }

  async function run(operation: Operation, lease: Lease, attempt: number): Promise<void> {
    const definition = byKind.get(operation.kind);
    const abort = new AbortController();
    running.set(operation.id, abort);
    const logWrites: Promise<void>[] = [];
    let state = operation.state;
    const context = (signal: AbortSignal): StepContext<unknown, Record<string, unknown>> => ({
      operationId: operation.id,
      workspaceId: operation.workspaceId,
      input: operation.input,
      state,
      signal,
      say(text) {
        logWrites.push(store.appendLog(operation.id, text).then(() => tell(operation.id)));
      },
    });
    const renewal = renewLease(lease, abort, operation.cancelRequested);
    try {
      if (definition === undefined || definition.version !== operation.version) {
        throw operationVersionChanged(operation.kind, operation.version, definition?.version);
      }
      if (attempt > MAX_ATTEMPTS) throw operationCrashLoop(attempt - 1, operation.step);
      let resumed = operation.step === null;
      for (const step of definition.steps) {
        // Steps before the checkpoint are done; the one at the checkpoint may have begun and is run again.
        resumed ||= step.name === operation.step;
        if (!resumed) continue;
        abort.signal.throwIfAborted();
        if (!(await store.checkpoint(lease, step.name, state))) return;
        const output = await withTimeout(step.name, step.timeoutMs, abort.signal, (signal) =>
          step.run(context(signal)),
        );
        state = { ...state, ...output };
        if (!(await store.checkpoint(lease, step.name, state))) return;
        tell(operation.id);
      }
      await Promise.all(logWrites);
      await store.finish(lease, "Succeeded", null);
    } catch (thrown) {
      if (stopping.signal.aborted) return;
      await fail(toAppError(abort.signal.aborted ? abort.signal.reason : thrown));
    } finally {
      renewal.stop();
      running.delete(operation.id);
      await Promise.allSettled(logWrites);
      tell(operation.id);
      wakeUp();
    }

    async function fail(error: AppError): Promise<void> {
      log.warn("operation failed", {
        operation: operation.id,
        kind: operation.kind,
        code: error.code,
        error: error.message,
        cause: error.cause,
      });
      try {
        await definition?.failed?.(context(stopping.signal), error);
      } catch (second) {
        if (stopping.signal.aborted) return;
        log.error("operation could not be put away cleanly", { operation: operation.id, error: second });
      }
      await Promise.allSettled(logWrites);
      const status = error.kind === "canceled" ? "Cancelled" : error.code === "StepTimeout" ? "TimedOut" : "Failed";
      await store.finish(lease, status, operationError(error));
    }
  }

  function renewLease(lease: Lease, abort: AbortController, cancelled: boolean): { stop(): void } {
    if (cancelled) abort.abort(operationCancelled());
    const timer = setInterval(() => {
      store.renew(lease, LEASE_MS).then(
        ({ held, cancelRequested }) => {
          if (!held) abort.abort(new Error("The lease was lost."));
          else if (cancelRequested) abort.abort(operationCancelled());
        },
        (error) => log.error("lease not renewed", { operation: lease.operationId, error }),
      );
    }, RENEW_MS);
    return { stop: () => clearInterval(timer) };
  }

  async function takeUp(): Promise<void> {
    while (!stopping.signal.aborted) {
      woken = false;
      const claimed = running.size < CONCURRENCY ? await store.claim(owner, LEASE_MS) : undefined;
      if (claimed === undefined) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, IDLE_POLL_MS);
          resolveIdle = () => {
            clearTimeout(timer);
            resolve();
          };
          if (woken) resolveIdle();
        });
        continue;
      }
      const job = run(claimed.operation, claimed.lease, claimed.attempt).catch((error) =>
        log.error("operation runner failed", { operation: claimed.operation.id, error }),
      );
      work.add(job);
      void job.finally(() => work.delete(job));
    }
  }

  return {
    async enqueue(operation, transaction) {
      const definition = byKind.get(operation.kind);
      if (definition === undefined) throw new Error(`No operation of kind ${operation.kind} is defined.`);
      const id = operation.id ?? newUuid();
      await store.insert({ ...operation, id, version: definition.version }, transaction);
      return id;
    },
    wake: wakeUp,
    async cancel(id) {
      await store.requestCancel(id);
      running.get(id)?.abort(operationCancelled());
      wakeUp();
    },
    async waitForNews(id, maxMs, signal) {
      await new Promise<void>((resolve) => {
        const listeners = news.get(id) ?? new Set();
        news.set(id, listeners);
        const done = () => {
          clearTimeout(timer);
          signal?.removeEventListener("abort", done);
          listeners.delete(done);
          if (listeners.size === 0 && news.get(id) === listeners) news.delete(id);
          resolve();
        };
        const timer = setTimeout(done, maxMs);
        signal?.addEventListener("abort", done, { once: true });
        listeners.add(done);
        if (signal?.aborted || stopping.signal.aborted) done();
      });
    },
    async waitForEnd(workspaceId, id, signal) {
      for (;;) {
        signal?.throwIfAborted();
        const operation = await store.find(workspaceId, id);
        if (operation === undefined) throw new Error(`Operation ${id} is gone.`);
        if (isTerminal(operation.status)) return operation;
        await this.waitForNews(id, 500, signal);
      }
    },
    async start() {
      await store.releaseAll();
      loop = takeUp();
    },
    async stop() {
      stopping.abort(new Error("The control plane stops."));
      for (const abort of running.values()) abort.abort(stopping.signal.reason);
      for (const id of [...news.keys()]) tell(id);
      wakeUp();
      await loop;
      // A step that ignores its signal must not hold the stop for ever; its lease dies with the process.
      await Promise.race([Promise.allSettled([...work]), delay(5_000, undefined, { ref: false })]);
    },
  };
}

async function withTimeout<T>(
  step: string,
  timeoutMs: number,
  parent: AbortSignal,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(stepTimeout(step, Math.round(timeoutMs / 1000))), timeoutMs);
  const signal = AbortSignal.any([parent, deadline.signal]);
  try {
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      if (signal.aborted) reject(signal.reason);
    });
    return await Promise.race([run(signal), aborted]);
  } finally {
    clearTimeout(timer);
  }
}
