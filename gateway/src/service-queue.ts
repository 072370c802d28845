import { IdMap, type ServiceRoute } from "@slipway/api";
import { queueFull, queueWaitOver, type Refusal, serviceNotFound, serviceUnavailable } from "./gateway-errors.ts";
import type { ReplicaConnection } from "./replica-connection.ts";

/** Requests that may wait for each slot. More would only wait longer than their callers do. */
const WAITING_PER_SLOT = 100;
const DID_NOT_WAKE = "it was asleep and its replica did not become ready in time; the logs of the service tell why";

/** A request that waits for a replica. One of the two is called, once, unless it leaves before. */
export interface Waiting {
  /** where it stands in the queue; the queue's own */
  ticket: number;
  assigned(replica: ReplicaConnection): void;
  refused(refusal: Refusal): void;
}

/**
 * Hands the requests of one service to its replicas: first come, first served, the replica with the least in work first,
 * never more than the limit in work at one. It outlives route snapshots, so that a request that waits while the revision
 * changes goes to the new one.
 */
export class ServiceQueue {
  #route: ServiceRoute;
  #replicas: readonly ReplicaConnection[] = [];
  #turn = 0;
  #closed = false;
  #wake: () => void = () => {};
  /** by ticket */
  readonly #waiting = new IdMap<{ readonly waiting: Waiting; readonly timer: NodeJS.Timeout }>();
  #lastTicket = 0;

  constructor(route: ServiceRoute) {
    this.#route = route;
  }

  get depth(): number {
    return this.#waiting.size;
  }

  /** Replicas that are connected. */
  get connected(): number {
    return this.#replicas.filter(({ ready }) => ready).length;
  }

  /** Of the revision whose replicas get what is given out now. */
  get revision(): number {
    return this.#route.revision;
  }

  /** @param wake called when a request waits: the service may be asleep */
  update(route: ServiceRoute, replicas: readonly ReplicaConnection[], wake: () => void = () => {}): void {
    this.#route = route;
    this.#replicas = replicas;
    this.#wake = wake;
    this.pump();
  }

  /** The one replica of a service that was asleep. */
  offer(replica: ReplicaConnection): void {
    this.#replicas = [replica];
    this.pump();
  }

  /** The service is gone. */
  close(): void {
    this.#closed = true;
    this.#replicas = [];
    for (const { waiting } of [...this.#waiting.values()]) {
      this.leave(waiting);
      waiting.refused(serviceNotFound(this.#route.basePath));
    }
  }

  /** Why nobody can join at this moment, asked before a body is read. */
  fullness(): Refusal | undefined {
    if (this.#closed) return serviceNotFound(this.#route.basePath);
    const limit = WAITING_PER_SLOT * this.#route.maxConcurrentRequests * Math.max(1, this.#replicas.length);
    return this.depth >= limit ? queueFull(this.#route.name, this.depth) : undefined;
  }

  join(waiting: Waiting): void {
    const replica = this.depth === 0 ? this.#freeReplica() : undefined;
    if (replica !== undefined) {
      waiting.assigned(replica);
      return;
    }
    const refusal = this.fullness();
    if (refusal !== undefined) {
      waiting.refused(refusal);
      return;
    }
    const { asleep, maxQueueWaitMs } = this.#route;
    const awake = asleep === undefined || this.#replicas.some(({ available }) => available);
    const waitMs = awake ? maxQueueWaitMs : asleep.wakeTimeoutMs;
    const timer = setTimeout(() => {
      this.leave(waiting);
      waiting.refused(this.#waitedInVain(waitMs));
    }, waitMs);
    this.#lastTicket += 1;
    waiting.ticket = this.#lastTicket;
    this.#waiting.set(waiting.ticket, { waiting, timer });
    this.#wake();
  }

  /** The caller is gone. */
  leave(waiting: Waiting): void {
    clearTimeout(this.#waiting.get(waiting.ticket)?.timer);
    this.#waiting.delete(waiting.ticket);
  }

  /** Gives out what is free. Called when something may have become free. */
  pump(): void {
    for (let next = this.#waiting.oldest(); next !== undefined; next = this.#waiting.oldest()) {
      const replica = this.#freeReplica();
      if (replica === undefined) return;
      this.leave(next.waiting);
      next.waiting.assigned(replica);
    }
  }

  #freeReplica(): ReplicaConnection | undefined {
    const count = this.#replicas.length;
    let best: ReplicaConnection | undefined;
    // Starting one further each time shares the work out where nothing is in work.
    this.#turn = (this.#turn + 1) % Math.max(1, count);
    for (let step = 0; step < count; step += 1) {
      const replica = this.#replicas[(this.#turn + step) % count];
      if (replica === undefined || !replica.available) continue;
      if (replica.outstanding >= this.#route.maxConcurrentRequests) continue;
      if (best === undefined || replica.outstanding < best.outstanding) best = replica;
    }
    return best;
  }

  #waitedInVain(waitMs: number): Refusal {
    const { name, asleep } = this.#route;
    const unavailableReason = asleep === undefined ? this.#route.unavailableReason : DID_NOT_WAKE;
    return this.#replicas.some(({ ready }) => ready)
      ? queueWaitOver(name, waitMs, this.depth)
      : serviceUnavailable(name, unavailableReason, waitMs);
  }
}
