import { setTimeout as delay } from "node:timers/promises";
import { newUuid } from "../platform/ids.ts";
import type { Log } from "../platform/log.ts";
import type { OperationDefinition } from "./define-operation.ts";
import { isTerminal, type Operation } from "./operation.ts";
import { operationCancelled, operationNotFound } from "./operation-errors.ts";
import { createOperationNews, type NewsWatch } from "./operation-news.ts";
import type { Claim, Lease, OperationStore } from "./operation-store.ts";
import { LEASE_LOST, runOperation } from "./run-operation.ts";

/**
 * A lease that ends too early lets two runners work at once (fencing keeps the database right, but work is done twice);
 * one that ends too late delays the recovery after a crash. There is one control plane per data folder, and its start
 * releases all leases at once, so the long side costs nothing.
 */
const LEASE_MS = 60_000;
/** Several tries fit into one lease. Each is a synced write, so not more often. */
const RENEW_MS = 10_000;
/**
 * Operations mostly wait for other processes (an installer, a starting replica, a drain of up to a minute). Too few and a
 * drain holds up a stranger's build; too many at once only fight for the cores.
 */
const CONCURRENCY = 8;
const IDLE_POLL_MS = 1_000;
/** A step that ignores its signal must not hold the stop for ever; its lease dies with the process. */
const STOP_MS = 5_000;

export interface OperationRunner {
  /** Makes an operation. Pass the transaction of the resource it belongs to; call {@link wake} after the commit. */
  enqueue(
    operation: { id?: string; workspaceId: string; kind: string; input: unknown; queue: string },
    transaction?: unknown,
  ): Promise<string>;
  wake(): void;
  /** Asks a running or waiting operation to end as `Cancelled`; nothing happens to one that has ended. */
  cancel(id: string): Promise<void>;
  /** For whoever waits for news (log line, step, end). Watch first, then look, then wait: nothing is missed. */
  watch(id: string): NewsWatch;
  /** @throws {AppError} OperationNotFound, or the signal's reason */
  waitForEnd(workspaceId: string, id: string, signal?: AbortSignal): Promise<Operation>;
  start(): Promise<void>;
  /** Lets go of running operations; they continue at the next start. */
  stop(): Promise<void>;
}

/** @param definitions is read when it is needed: rooms that need the runner themselves add theirs before {@link OperationRunner.start} */
export function createOperationRunner(
  store: OperationStore,
  definitions: readonly OperationDefinition[],
  log: Log,
): OperationRunner {
  const definitionOf = (kind: string) => definitions.find((definition) => definition.kind === kind);
  const owner = newUuid();
  const stopping = new AbortController();
  const running = new Map<string, AbortController>();
  const work = new Set<Promise<void>>();
  const news = createOperationNews();
  /** A wake-up that comes while the runner looks must not be lost: it would cost a second. */
  let woken = false;
  let resolveIdle: () => void = () => {};
  let loop: Promise<void> | undefined;

  function wake(): void {
    woken = true;
    resolveIdle();
  }

  function begin(claim: Claim): void {
    const { id, kind } = claim.operation;
    const abort = new AbortController();
    if (claim.operation.cancelRequested) abort.abort(operationCancelled());
    running.set(id, abort);
    const renewal = setInterval(() => void renew(claim.lease, abort), RENEW_MS);
    const job = runOperation(claim, definitionOf(kind), abort, { store, news, log, stopping: stopping.signal })
      .catch((error) => log.error("operation runner failed", { operation: id, kind, error }))
      .finally(() => {
        clearInterval(renewal);
        running.delete(id);
        work.delete(job);
        wake();
      });
    work.add(job);
  }

  async function renew(lease: Lease, abort: AbortController): Promise<void> {
    try {
      const { held, cancelRequested } = await store.renew(lease, LEASE_MS);
      if (!held) abort.abort(LEASE_LOST);
      else if (cancelRequested) abort.abort(operationCancelled());
    } catch (error) {
      log.error("lease not renewed", { operation: lease.operationId, error });
    }
  }

  async function claimNext(): Promise<Claim | undefined> {
    if (running.size >= CONCURRENCY) return undefined;
    try {
      return await store.claim(owner, LEASE_MS);
    } catch (error) {
      // A full disk, say: the loop must outlive it.
      log.error("no operation could be claimed", { error });
      return undefined;
    }
  }

  async function takeUp(): Promise<void> {
    while (!stopping.signal.aborted) {
      woken = false;
      const claim = await claimNext();
      if (claim === undefined) await idle();
      else begin(claim);
    }
  }

  async function idle(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, IDLE_POLL_MS);
      resolveIdle = () => {
        clearTimeout(timer);
        resolve();
      };
      if (woken) resolveIdle();
    });
  }

  return {
    wake,
    watch: news.watch,
    async enqueue(operation, transaction) {
      const definition = definitionOf(operation.kind);
      if (definition === undefined) throw new Error(`No operation of kind ${operation.kind} is defined.`);
      const id = operation.id ?? newUuid();
      await store.insert({ ...operation, id, version: definition.version }, transaction);
      return id;
    },
    async cancel(id) {
      await store.requestCancel(id);
      running.get(id)?.abort(operationCancelled());
      wake();
    },
    async waitForEnd(workspaceId, id, signal) {
      using watch = news.watch(id);
      for (;;) {
        signal?.throwIfAborted();
        const operation = await store.find(workspaceId, id);
        if (operation === undefined) throw operationNotFound(id);
        if (isTerminal(operation.status)) return operation;
        await watch.next(IDLE_POLL_MS, signal);
      }
    },
    async start() {
      await store.releaseAll();
      loop = takeUp();
    },
    async stop() {
      stopping.abort(new Error("The control plane stops."));
      for (const abort of running.values()) abort.abort(stopping.signal.reason);
      news.tellAll();
      wake();
      await loop;
      await Promise.race([Promise.allSettled([...work]), delay(STOP_MS, undefined, { ref: false })]);
    },
  };
}
