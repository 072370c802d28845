import { setTimeout as delay } from "node:timers/promises";
import type { AsleepRoute } from "@slipway/api";
import type { Log } from "./log.ts";
import type { ReplicaConnection } from "./replica-connection.ts";
import { runsAlready } from "./run-folder-process.ts";
import { readStartFile, startProcess } from "./start-process.ts";

/** A replica takes some hundred milliseconds at least; who waits should not wait for us on top. */
const LOOK_EVERY_MS = 20;
/** A replica that ends again and again is started less and less often. */
const FIRST_PAUSE_MS = 1000;
const LAST_PAUSE_MS = 30_000;

export interface SleeperParts {
  readonly service: string;
  readonly asleep: AsleepRoute;
  /** opens the connection and hands it to the queue */
  connect(): ReplicaConnection;
  /** requests still wait */
  wanted(): boolean;
  readonly log: Log;
}

/**
 * Wakes a service that sleeps: starts its replica from its start file, without the control plane, which may be dead. The control
 * plane adopts the replica afterwards. One that runs already, or still, is used: two must never share a run folder.
 */
export class Sleeper {
  readonly #parts: SleeperParts;
  #connection: ReplicaConnection | undefined;
  #waking = false;
  #stopped = false;
  #mayStartAtMs = 0;
  #pauseMs = FIRST_PAUSE_MS;

  constructor(parts: SleeperParts) {
    this.#parts = parts;
  }

  get asleep(): AsleepRoute {
    return this.#parts.asleep;
  }

  /** Its replica's connection, once somebody wanted it. */
  get connection(): ReplicaConnection | undefined {
    return this.#connection;
  }

  /** A request waits. */
  wake(): void {
    if (this.#waking || this.#stopped) return;
    this.#waking = true;
    this.#wakeUp()
      .catch((error: unknown) => this.#complain(error))
      .finally(() => {
        this.#waking = false;
      });
  }

  /** The route says something else now. */
  stop(): void {
    this.#stopped = true;
  }

  async #wakeUp(): Promise<void> {
    this.#connection ??= this.#parts.connect();
    // Also while it answers: it may end before it has answered all.
    while (!this.#stopped && this.#parts.wanted()) {
      if (this.#connection.available) this.#pauseMs = FIRST_PAUSE_MS;
      // Nobody listens: it does not run, or not yet, or not any more. Connected, it starts or ends by itself.
      else if (this.#connection.refused && performance.now() >= this.#mayStartAtMs) await this.#start();
      this.#connection.retry();
      await delay(LOOK_EVERY_MS);
    }
  }

  async #start(): Promise<void> {
    this.#mayStartAtMs = performance.now() + this.#pauseMs;
    try {
      const start = await readStartFile(this.#parts.asleep.startFile);
      if (await runsAlready(start)) return;
      if (this.#stopped) return;
      this.#parts.log.info("waking a service", { service: this.#parts.service });
      await startProcess(start);
      this.#pauseMs = Math.min(this.#pauseMs * 2, LAST_PAUSE_MS);
    } catch (error) {
      this.#complain(error);
    }
  }

  #complain(error: unknown): void {
    this.#parts.log.error("a service could not be woken", { service: this.#parts.service, cause: String(error) });
  }
}
