import { isDeepStrictEqual } from "node:util";
import type { ReplicaRoute, RouteSnapshot, ServiceRoute, ServiceSignals } from "@slipway/api";
import { authorizeFor } from "./credential.ts";
import type { Log } from "./log.ts";
import { ReplicaPool } from "./replica-pool.ts";
import { createRouteTable, type RoutedService, type RouteTable } from "./route-table.ts";
import type { ServiceCertificates } from "./service-certificates.ts";
import { ServiceLoad } from "./service-load.ts";
import { ServiceMetrics } from "./service-metrics.ts";
import { ServiceQueue } from "./service-queue.ts";
import { readTokenKey } from "./service-token.ts";
import { Sleeper } from "./sleeper.ts";

/** How long a switch waits for the first new replica of each service that changes. */
const CONNECT_BEFORE_SWITCH_MS = 2000;

/** The routes in force, and the queues and connections that live across their changes. */
export class Routing {
  readonly #log: Log;
  readonly #allowOpen: boolean;
  readonly #certificates: ServiceCertificates;
  readonly #pool: ReplicaPool;
  #table: RouteTable | undefined;

  constructor(log: Log, allowOpen: boolean, certificates: ServiceCertificates) {
    this.#log = log;
    this.#allowOpen = allowOpen;
    this.#certificates = certificates;
    this.#pool = new ReplicaPool(log);
  }

  get table(): RouteTable | undefined {
    return this.#table;
  }

  get unreachableReplicas(): readonly string[] {
    return this.#pool.unreachable();
  }

  inFlight(replicaId: string): number {
    return this.#pool.inFlight(replicaId);
  }

  /** Resolves when the replica has no request in work, or after `waitMs`. */
  whenIdle(replicaId: string, waitMs: number): Promise<void> {
    return this.#pool.whenIdle(replicaId, waitMs);
  }

  /** Connects what is new, then switches all services in one step: no request meets a half-made picture. */
  async apply(snapshot: RouteSnapshot): Promise<void> {
    const changed = snapshot.services.filter(({ replicas }) => replicas.some((replica) => !this.#pool.has(replica)));
    for (const { replicas } of changed) for (const replica of replicas) this.#pool.open(replica);
    if (this.#table !== undefined) {
      await Promise.all(changed.map(({ replicas }) => this.#pool.someReady(replicas, CONNECT_BEFORE_SWITCH_MS)));
    }
    await this.#certificates.apply(snapshot);
    this.#switch(snapshot);
    this.#log.info("routes in force", { version: snapshot.version, services: snapshot.services.length });
  }

  /** What decisions about the number of replicas need, of every service. */
  signals(): ServiceSignals[] {
    const now = performance.now();
    return [...(this.#table?.services.values() ?? [])].map(({ route, queue, load }) => ({
      basePath: route.basePath,
      revision: route.revision,
      inFlight: load.level - queue.depth,
      queued: queue.depth,
      loads: [...load.averages],
      idleMs: Math.round(load.idleMs(now)),
    }));
  }

  /** Once a second. */
  tick(): void {
    const now = performance.now();
    for (const { load } of this.#table?.services.values() ?? []) load.tick(now);
  }

  /** Ends every connection, whatever is in work. */
  close(): void {
    for (const { sleeper } of this.#table?.services.values() ?? []) sleeper?.stop();
    this.#pool.close();
  }

  #switch(snapshot: RouteSnapshot): void {
    const tokenKey = snapshot.services.some(({ auth }) => auth === "token")
      ? readTokenKey(snapshot.tokenKey)
      : undefined;
    const before = this.#table?.services ?? new Map<string, RoutedService>();
    const services = new Map<string, RoutedService>();
    for (const route of snapshot.services) {
      const { queue, load, metrics, ...old } = before.get(route.basePath) ?? {
        queue: new ServiceQueue(route),
        load: new ServiceLoad(performance.now()),
        metrics: new ServiceMetrics(),
        sleeper: undefined,
      };
      const sleeper = this.#sleeperOf(route, queue, old.sleeper);
      const authorize = authorizeFor(route, tokenKey, this.#allowOpen);
      services.set(route.basePath, { route, queue, load, metrics, sleeper, authorize });
    }
    this.#table = createRouteTable(snapshot.version, services);
    const kept: ReplicaRoute[] = [];
    for (const { route, queue, sleeper } of services.values()) {
      const replicas = sleeper?.connection === undefined ? route.replicas : [sleeper.asleep.replica];
      kept.push(...replicas);
      queue.update(
        route,
        replicas.map((replica) => this.#pool.serve(replica, () => queue.pump())),
        () => sleeper?.wake(),
      );
    }
    for (const [basePath, { queue, sleeper }] of before) {
      if (services.has(basePath)) continue;
      queue.close();
      sleeper?.stop();
    }
    this.#pool.keepOnly(kept);
    // Last, so that a connection that a sleeper opens now is not taken for one that has left the routes.
    for (const { queue, sleeper } of services.values()) if (queue.depth > 0) sleeper?.wake();
  }

  /** The old one as long as the same replica sleeps: it may be waking it. */
  #sleeperOf({ asleep, name }: ServiceRoute, queue: ServiceQueue, old: Sleeper | undefined): Sleeper | undefined {
    if (old !== undefined && isDeepStrictEqual(old.asleep, asleep)) return old;
    old?.stop();
    if (asleep === undefined) return undefined;
    return new Sleeper({
      service: name,
      asleep,
      connect: () => {
        const connection = this.#pool.serve(asleep.replica, () => queue.pump());
        queue.offer(connection);
        return connection;
      },
      wanted: () => queue.depth > 0,
      log: this.#log,
    });
  }
}
