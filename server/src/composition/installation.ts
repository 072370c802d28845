import { createHash } from "node:crypto";
import { join } from "node:path";
import { type Config, dataLayout } from "../config.ts";
import { type Clock, systemClock } from "../platform/clock.ts";
import type { EngineClient } from "../platform/engine/engine-client.ts";
import { engineFinder } from "../platform/engine/find-engine.ts";
import type { Log } from "../platform/log.ts";

/** What the process gives the server; everything else is in the data folder. */
export interface Surroundings {
  readonly log: Log;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly pid: number;
  readonly parentPid: number;
  /** Node, and its own options, for scorers */
  readonly execPath: string;
  readonly execArgv: readonly string[];
  /** certificates and the gateway's configuration are written */
  prepared(): void;
}

/** What does not change while the server runs, and every part needs some of. */
export interface Installation extends Omit<Surroundings, "prepared"> {
  readonly version: string;
  /** ISO 8601 */
  readonly startedAt: string;
  readonly config: Config;
  readonly layout: ReturnType<typeof dataLayout>;
  /** tells the cgroups and containers of several installations on one machine apart */
  readonly key: string;
  /** `https://host:port` of the control plane as clients see it */
  readonly publicUrl: string;
  /** `host:port` of the built-in registry, as in the names of images */
  readonly registryHost: string;
  /** the container engine of this machine, for services and for RUN steps. @throws {AppError} when there is none */
  findEngine(): Promise<EngineClient>;
  readonly clock: Clock;
}

const VERSION = "0.1.0";

export function describeInstallation(config: Config, surroundings: Surroundings): Installation {
  const publicUrl = config.publicUrl ?? `https://localhost:${config.port}`;
  const layout = dataLayout(config.dataFolder);
  return {
    ...surroundings,
    version: VERSION,
    startedAt: systemClock.now().toISOString(),
    config,
    layout,
    key: createHash("sha256").update(config.dataFolder).digest("hex").slice(0, 12),
    publicUrl,
    registryHost: new URL(publicUrl).host,
    findEngine: engineFinder({
      address: config.containerEngine,
      env: surroundings.env,
      file: join(layout.containers, "engine.json"),
    }),
    clock: systemClock,
  };
}
