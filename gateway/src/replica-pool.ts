import type { ReplicaRoute } from "@slipway/api";
import type { Log } from "./log.ts";
import { ReplicaConnection } from "./replica-connection.ts";

interface Pooled {
  readonly connection: ReplicaConnection;
  /** gives the replica its next request */
  pump: () => void;
  retired: boolean;
}

/** All connections to replicas: those in the routes, and those that left them and still have requests in work. */
export class ReplicaPool {
  readonly #log: Log;
  readonly #pooled = new Map<string, Pooled>();
  /** told of everything that changes who is ready or idle */
  readonly #watchers = new Set<() => void>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** Connects, unless the replica is connected already. */
  open(replica: ReplicaRoute): void {
    this.#openPooled(replica);
  }

  /** The connection of a replica that gets traffic; `pump` is called when it may take more. */
  serve(replica: ReplicaRoute, pump: () => void): ReplicaConnection {
    const pooled = this.#openPooled(replica);
    pooled.pump = pump;
    return pooled.connection;
  }

  /** Retires every connection that is not to one of these. */
  keepOnly(replicas: readonly ReplicaRoute[]): void {
    const kept = new Set(replicas.map(identityOf));
    for (const [identity, pooled] of this.#pooled) if (!kept.has(identity)) this.#retire(identity, pooled);
  }

  close(): void {
    for (const [identity, pooled] of this.#pooled) this.#retire(identity, pooled);
  }

  has(replica: ReplicaRoute): boolean {
    return this.#pooled.has(identityOf(replica));
  }

  unreachable(): readonly string[] {
    return [...this.#pooled.values()]
      .filter(({ connection, retired }) => !retired && !connection.ready)
      .map(({ connection }) => connection.replica.id);
  }

  inFlight(replicaId: string): number {
    return [...this.#pooled.values()]
      .filter(({ connection }) => connection.replica.id === replicaId)
      .reduce((sum, { connection }) => sum + connection.outstanding, 0);
  }

  someReady(replicas: readonly ReplicaRoute[], waitMs: number): Promise<void> {
    return this.#until(
      () => replicas.some((replica) => this.#pooled.get(identityOf(replica))?.connection.ready),
      waitMs,
    );
  }

  whenIdle(replicaId: string, waitMs: number): Promise<void> {
    return this.#until(() => this.inFlight(replicaId) === 0, waitMs);
  }

  #openPooled(replica: ReplicaRoute): Pooled {
    const identity = identityOf(replica);
    const known = this.#pooled.get(identity);
    if (known !== undefined) {
      // A retired one is here only while it has requests in work: it simply stays.
      known.retired = false;
      known.connection.revive();
      return known;
    }
    const pooled: Pooled = {
      connection: new ReplicaConnection(replica, this.#log, {
        onAvailable: () => {
          pooled.pump();
          this.#tell();
        },
        onIdle: () => {
          if (pooled.retired && this.#pooled.get(identity) === pooled) this.#pooled.delete(identity);
          this.#tell();
        },
      }),
      pump: () => {},
      retired: false,
    };
    this.#pooled.set(identity, pooled);
    return pooled;
  }

  #retire(identity: string, pooled: Pooled): void {
    if (pooled.retired) return;
    pooled.retired = true;
    pooled.pump = () => {};
    pooled.connection.retire();
    if (pooled.connection.outstanding === 0) this.#pooled.delete(identity);
  }

  #until(holds: () => boolean, waitMs: number): Promise<void> {
    if (holds()) return Promise.resolve();
    return new Promise((resolve) => {
      const finish = () => {
        clearTimeout(timer);
        this.#watchers.delete(watcher);
        resolve();
      };
      const watcher = () => {
        if (holds()) finish();
      };
      const timer = setTimeout(finish, waitMs);
      this.#watchers.add(watcher);
    });
  }

  #tell(): void {
    for (const watcher of this.#watchers) watcher();
  }
}

/** Another socket or nonce is another replica, also under an old id. */
function identityOf({ id, framesSocket, nonce }: ReplicaRoute): string {
  return JSON.stringify([id, framesSocket, nonce]);
}
