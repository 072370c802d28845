import { setTimeout as delay } from "node:timers/promises";
import type { ServiceSignals } from "@slipway/api";
import type { OperationRunner, OperationStore } from "../operation/index.ts";
import type { Log } from "../platform/log.ts";
import type { Deployments } from "./deployments.ts";
import type { GatewayControl } from "./gateway-control.ts";
import { enqueueScale } from "./scale-service.operation.ts";
import { wantedReplicas } from "./scaling.ts";
import { type Revision, type Service, serviceQueue } from "./service.ts";
import type { ServiceAddresses } from "./service-address.ts";
import type { ServiceStore } from "./service-store.ts";

/** v1's own period; the gateway averages load by the second. */
const LOOK_EVERY_MS = 1_000;
/** A machine that is full is not asked and complained about each second. */
const FULL_PAUSE_MS = 60_000;

export interface ServiceAutoscalerDependencies {
  readonly store: ServiceStore;
  readonly deployments: Deployments;
  readonly addresses: ServiceAddresses;
  readonly gateway: GatewayControl;
  readonly runner: Pick<OperationRunner, "enqueue" | "wake">;
  readonly operations: Pick<OperationStore, "openInQueue">;
  readonly log: Log;
  /** for tests; 1 s otherwise */
  readonly lookEveryMs?: number;
}

/** Gives services the number of replicas that their load asks for. It remembers nothing: the gateway keeps the last minute. */
export interface ServiceAutoscaler {
  start(): void;
  stop(): Promise<void>;
}

export function createServiceAutoscaler(dependencies: ServiceAutoscalerDependencies): ServiceAutoscaler {
  const { store, deployments, addresses, gateway, runner, operations, log } = dependencies;
  const stopping = new AbortController();
  const { signal } = stopping;
  /** by service id: not asked for more before this time */
  const fullUntil = new Map<string, number>();
  let loop: Promise<void> | undefined;

  async function look(): Promise<void> {
    const scaled = (await store.list()).filter(({ settings }) => settings.scaling.enabled);
    if (scaled.length === 0) return;
    const signals = new Map((await gateway.signals(signal)).map((one) => [one.basePath, one]));
    for (const service of scaled) {
      const { basePath } = await addresses(service.workspaceId, service.name);
      const told = signals.get(basePath);
      if (told !== undefined) await decide(service, told);
    }
  }

  async function decide(service: Service, { loads, idleMs, revision: number }: ServiceSignals): Promise<void> {
    if (service.servingRevision === null) return;
    const revision = await store.findRevision(service.servingRevision);
    if (revision === undefined || revision.number !== number) return;
    const { replicas: current, maxConcurrentRequests } = revision.settings;
    const load = { averages: loads, idleMs };
    const wanted = wantedReplicas(service.settings.scaling, load, current, maxConcurrentRequests);
    if (wanted === current || (await operations.openInQueue(serviceQueue(service.id))).length > 0) return;
    const possible = wanted > current ? await fitting(service, revision, wanted) : wanted;
    if (possible === current) return;
    log.info("another number of replicas", { service: service.name, from: current, to: possible });
    await enqueueScale(runner, service, revision, possible);
    runner.wake();
  }

  /** As many of the replicas as the machine has memory for. */
  async function fitting(service: Service, revision: Revision, wanted: number): Promise<number> {
    const { replicas: current, memoryBytes } = revision.settings;
    if (performance.now() < (fullUntil.get(service.id) ?? 0)) return current;
    const free = await deployments.targetOf(revision).capacity();
    const possible = Math.min(wanted, current + Math.floor(free.memoryBytes / memoryBytes));
    if (possible < wanted) {
      fullUntil.set(service.id, performance.now() + FULL_PAUSE_MS);
      log.warn("not enough memory for the replicas that the load asks for", {
        service: service.name,
        wanted,
        possible,
      });
    }
    return possible;
  }

  async function turn(): Promise<void> {
    while (!signal.aborted) {
      await look().catch((error) => {
        // A gateway that is down is back soon, and tells what it remembers then.
        if (!signal.aborted && error.code !== "GatewayUnreachable")
          log.error("services could not be scaled", { error });
      });
      await delay(dependencies.lookEveryMs ?? LOOK_EVERY_MS, undefined, { signal, ref: false }).catch(() => {});
    }
  }

  return {
    start() {
      loop ??= turn();
    },
    async stop() {
      stopping.abort(new Error("The control plane stops."));
      await loop;
    },
  };
}
