import type { Log } from "../platform/log.ts";
import type { RunContext } from "../target/target.ts";
import type { Deployments } from "./deployments.ts";
import type { GatewayControl } from "./gateway-control.ts";
import type { Revision, Service } from "./service.ts";
import { MAX_DRAIN_MS } from "./service-defaults.ts";
import type { ServiceStore } from "./service-store.ts";

export interface RetireDependencies {
  readonly store: ServiceStore;
  readonly deployments: Deployments;
  readonly gateway: GatewayControl;
  readonly log: Log;
}

/** Lets a revision without a route finish what it has in work, then takes its replicas away. Again and again is the same as once. */
export async function retireRevision(
  { store, deployments, gateway, log }: RetireDependencies,
  service: Service,
  revision: Revision,
  run: RunContext,
): Promise<void> {
  const waitMs = Math.min(revision.settings.scoringTimeoutMs, MAX_DRAIN_MS);
  const replicas = await replicaIds();
  if (replicas.length > 0) run.say(`Draining revision ${revision.number}.`);
  const left = await Promise.all(replicas.map((id) => gateway.inFlight(id, waitMs, run.signal)));
  const requests = left.reduce((sum, count) => sum + count, 0);
  if (requests > 0) {
    run.say(
      `Revision ${revision.number} still had ${requests} requests in work after ${waitMs / 1000} s; they are ended.`,
    );
  }
  await deployments.targetOf(revision).remove({ id: revision.id }, run);
  await store.updateRevision(revision.id, {
    removed: true,
    ...(revision.state === "failed" ? {} : { state: "retired" as const }),
  });

  /** A revision whose image is gone cannot be looked at, but still be taken away. */
  async function replicaIds(): Promise<string[]> {
    try {
      const observation = await deployments.targetOf(revision).observe(await deployments.of(service, revision));
      return observation.replicas.filter(({ state }) => state === "ready").map(({ id }) => id);
    } catch (error) {
      run.signal.throwIfAborted();
      log.warn("a revision could not be observed before its end", {
        service: service.name,
        revision: revision.id,
        error,
      });
      return [];
    }
  }
}
