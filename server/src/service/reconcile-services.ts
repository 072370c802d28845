import { setTimeout as delay } from "node:timers/promises";
import type { Cause } from "@slipway/api";
import type { OperationRunner, OperationStore } from "../operation/index.ts";
import { toAppError } from "../platform/errors.ts";
import type { Log } from "../platform/log.ts";
import type { Observation } from "../target/target.ts";
import { DELETE_SERVICE, type DeleteInput } from "./delete-service.operation.ts";
import { type RetireDependencies, retireRevision } from "./retire-revision.ts";
import { type RoutePublisher, readyReplicas } from "./route-publisher.ts";
import { enqueueScale } from "./scale-service.operation.ts";
import { type Revision, type Service, serviceQueue } from "./service.ts";
import { causeOf } from "./service-errors.ts";

/** How long a dead replica may stay unnoticed; looking is one question to a socket for each replica. */
const LOOK_EVERY_MS = 2_000;
const FIRST_BACK_OFF_MS = 1_000;
const MAX_BACK_OFF_MS = 60_000;
const FORGET_BACK_OFF_MS = 600_000;
/** A stop of the control plane waits no longer than this for replicas to end. */
const STOP_MS = 20_000;

export interface ServiceReconcilerDependencies extends RetireDependencies {
  readonly publisher: RoutePublisher;
  readonly runner: Pick<OperationRunner, "enqueue" | "wake">;
  readonly operations: Pick<OperationStore, "openInQueue">;
  readonly log: Log;
  /** for tests; 2 s otherwise */
  readonly lookEveryMs?: number;
}

/** Keeps what should run running: adopts it after a start of the control plane, brings it up again when it dies, tidies up. */
export interface ServiceReconciler {
  start(): void;
  /** Looks at once instead of at the next turn. */
  wake(): void;
  /** Ends the loop; replicas keep running. */
  stop(): Promise<void>;
  /** After `stop`: ends all replicas. The rows stay, so the next start brings every service back. */
  stopReplicas(): Promise<void>;
}

interface BackOff {
  readonly pauseMs: number;
  readonly until: number;
}

export function createServiceReconciler(dependencies: ServiceReconcilerDependencies): ServiceReconciler {
  const { store, deployments, publisher, runner, operations, log } = dependencies;
  const stopping = new AbortController();
  const { signal } = stopping;
  /** repairs that run now, by revision or service id */
  const repairs = new Map<string, Promise<void>>();
  const backOffs = new Map<string, BackOff>();
  const endpoints = new Map<string, string>();
  let loop: Promise<void> | undefined;
  let woken = Promise.withResolvers<void>();

  async function look(): Promise<void> {
    const services = await store.list();
    const changed = await Promise.all(services.map((service) => guarded(service, () => lookAt(service))));
    for (const service of await store.listDeleted()) await guarded(service, () => finishDeletion(service));
    for (const id of endpoints.keys()) if (!services.some((service) => service.id === id)) endpoints.delete(id);
    for (const [id, { until }] of backOffs) if (performance.now() > until + FORGET_BACK_OFF_MS) backOffs.delete(id);
    if (changed.includes(true)) await publisher.refresh(signal);
  }

  /** @returns whether the routes may have changed */
  async function lookAt(service: Service): Promise<boolean> {
    if (await isBusy(service)) return false;
    tidyUp(service, await store.revisions(service.id));
    const revision = service.servingRevision === null ? undefined : await store.findRevision(service.servingRevision);
    if (revision === undefined) return false;
    const observation = await deployments.targetOf(revision).observe(await deployments.of(service, revision));
    if (revision.settings.replicas === 0) return lookAtSleeping(service, revision, observation);
    const ready = readyReplicas(observation);
    if (observation.state === "ready") backOffs.delete(revision.id);
    else repair(revision.id, () => bringUp(service, revision));
    const cause = ready.length > 0 ? null : (observation.cause ?? service.healthError ?? notRunning(revision));
    await setHealth(service, revision, cause);
    return hasChanged(service, ready);
  }

  /** To have no replicas is its right; the gateway may have woken it, also while nobody was here. */
  async function lookAtSleeping(service: Service, revision: Revision, observation: Observation): Promise<boolean> {
    const { standby, replicas } = observation;
    if (standby === undefined) repair(revision.id, () => bringUp(service, revision));
    else backOffs.delete(revision.id);
    if (replicas.some(({ state }) => state === "ready")) {
      log.info("a service was woken", { service: service.name });
      await enqueueScale(runner, service, revision, 1);
      runner.wake();
    }
    await setHealth(service, revision, observation.state === "failed" ? (observation.cause ?? null) : null);
    return hasChanged(service, standby);
  }

  function hasChanged(service: Service, where: unknown): boolean {
    const now = JSON.stringify(where) ?? "";
    const changed = endpoints.get(service.id) !== now;
    endpoints.set(service.id, now);
    return changed;
  }

  async function bringUp(service: Service, revision: Revision): Promise<void> {
    const target = deployments.targetOf(revision);
    const say = (text: string) => log.info(text, { service: service.name, revision: revision.number });
    const observation = await target.apply(await deployments.of(service, revision), { signal, say });
    const now = await store.find(service.id);
    const current = await store.findRevision(revision.id);
    if (now?.servingRevision !== revision.id) {
      // An update or a deletion came in between and may have looked before this was up.
      await target.remove({ id: revision.id }, { signal, say });
    } else if (current !== undefined && current.settings.replicas !== revision.settings.replicas) {
      await bringUp(now, current);
    } else if (observation.state === "failed") {
      await setHealth(now, revision, observation.cause ?? notRunning(revision));
      throw new Error(observation.cause?.message ?? `Revision ${revision.number} did not come up.`);
    }
  }

  /** Takes away what no operation looks after any more. */
  function tidyUp(service: Service, revisions: readonly Revision[]): void {
    for (const revision of revisions) {
      if (revision.removedAt !== null || revision.id === service.servingRevision) continue;
      const say = (text: string) => log.info(text, { service: service.name });
      repair(revision.id, () => retireRevision(dependencies, service, revision, { signal, say }));
    }
  }

  async function finishDeletion(service: Service): Promise<void> {
    if (await isBusy(service)) return;
    repair(service.id, async () => {
      const input: DeleteInput = { serviceId: service.id, name: service.name };
      const queue = serviceQueue(service.id);
      await runner.enqueue({ workspaceId: service.workspaceId, kind: DELETE_SERVICE, input, queue });
      runner.wake();
    });
  }

  /** Runs a repair in the background, one of a kind at a time, less and less often while it does not help. */
  function repair(id: string, run: () => Promise<void>): void {
    const backOff = backOffs.get(id);
    if (repairs.has(id) || (backOff !== undefined && performance.now() < backOff.until)) return;
    const pauseMs = backOff === undefined ? FIRST_BACK_OFF_MS : Math.min(backOff.pauseMs * 2, MAX_BACK_OFF_MS);
    const job = run()
      .catch((error) => {
        if (!signal.aborted) log.warn("a repair failed", { id, pauseMs, error });
      })
      .finally(() => {
        repairs.delete(id);
        backOffs.set(id, { pauseMs, until: performance.now() + pauseMs });
        wake();
      });
    repairs.set(id, job);
  }

  async function setHealth(service: Service, revision: Revision, cause: Cause | null): Promise<void> {
    const state = cause === null ? "Healthy" : "Unhealthy";
    if (service.state === state && (service.healthError?.message ?? null) === (cause?.message ?? null)) return;
    // An operation may have begun since: its word counts.
    const now = await store.find(service.id);
    if (now?.servingRevision !== revision.id || (await isBusy(now))) return;
    log.warn(`service is ${state.toLowerCase()}`, { service: service.name, cause: cause?.message });
    await store.update(service.id, { state, healthError: cause });
  }

  async function isBusy(service: Service): Promise<boolean> {
    return (await operations.openInQueue(serviceQueue(service.id))).length > 0;
  }

  async function guarded<T>(service: Service, run: () => Promise<T>): Promise<T | undefined> {
    try {
      return await run();
    } catch (error) {
      if (signal.aborted) return undefined;
      log.error("a service could not be looked at", { service: service.name, error });
      const revision = service.servingRevision === null ? undefined : await store.findRevision(service.servingRevision);
      if (revision !== undefined) await setHealth(service, revision, causeOf(toAppError(error)));
      return undefined;
    }
  }

  function wake(): void {
    woken.resolve();
  }

  async function turn(): Promise<void> {
    while (!signal.aborted) {
      woken = Promise.withResolvers<void>();
      await look().catch((error) => {
        if (!signal.aborted) log.error("services could not be looked at", { error });
      });
      const pause = delay(dependencies.lookEveryMs ?? LOOK_EVERY_MS, undefined, { signal, ref: false }).catch(() => {});
      await Promise.race([pause, woken.promise]);
    }
  }

  return {
    start() {
      loop ??= turn();
    },
    wake,
    async stop() {
      stopping.abort(new Error("The control plane stops."));
      await loop;
      await Promise.race([Promise.allSettled(repairs.values()), delay(STOP_MS, undefined, { ref: false })]);
    },
    async stopReplicas() {
      const deadline = AbortSignal.timeout(STOP_MS);
      const revisions = await Promise.all((await store.list()).map(({ id }) => store.revisions(id)));
      await Promise.all(
        revisions.flat().map(async (revision) => {
          if (revision.removedAt !== null) return;
          try {
            await deployments.targetOf(revision).remove({ id: revision.id }, { signal: deadline, say: () => {} });
          } catch (error) {
            log.error("a revision could not be stopped", { revision: revision.id, error });
          }
        }),
      );
    },
  };
}

function notRunning({ number }: Revision): Cause {
  return {
    code: "ReplicaNotRunning",
    message: `No replica of revision ${number} is running; it is being started again.`,
    nextAction: "If this stays, get_logs() shows what its replicas wrote.",
  };
}
