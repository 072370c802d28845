import { setTimeout as delay } from "node:timers/promises";
import type { AsleepRoute, Cause, GatewayState, ReplicaRoute, RouteSnapshot, ServiceRoute } from "@slipway/api";
import { writeFileAtomically } from "../platform/atomic-file.ts";
import { type AppError, toAppError } from "../platform/errors.ts";
import type { Log } from "../platform/log.ts";
import type { Observation } from "../target/target.ts";
import type { Workspace } from "../workspace/index.ts";
import type { CertificateFiles } from "./certificate-files.ts";
import type { Deployments } from "./deployments.ts";
import type { GatewayControl } from "./gateway-control.ts";
import { errorOf, type Revision, type Service } from "./service.ts";
import type { ServiceAddresses } from "./service-address.ts";
import { requestsAtHand, WAKE_TIMEOUT_MS } from "./service-defaults.ts";
import { causeOf } from "./service-errors.ts";
import { gatewayProperties } from "./service-properties.ts";
import type { ServiceStore } from "./service-store.ts";

const FIRST_RETRY_MS = 50;
const MAX_RETRY_MS = 1_000;

/** Tells the gateway where services are. One snapshot is written at a time; callers that come meanwhile share the next. */
export interface RoutePublisher {
  /**
   * Writes the routes as the database and the targets have them now and waits until the gateway uses them, however long
   * it is down.
   * @throws the signal's reason
   */
  publish(signal: AbortSignal): Promise<GatewayState>;
  /** The same without waiting for a gateway that is down: it reads the file when it starts. */
  refresh(signal: AbortSignal): Promise<void>;
}

export interface RoutePublisherDependencies {
  readonly store: ServiceStore;
  readonly deployments: Deployments;
  readonly workspaces: { byId(id: string): Promise<Workspace | undefined> };
  readonly addresses: ServiceAddresses;
  readonly gateway: GatewayControl;
  readonly routesFile: string;
  readonly certificateFiles: CertificateFiles;
  /** JWK that verifies service tokens */
  readonly tokenKey: Readonly<Record<string, unknown>>;
  /** services without authentication answer other machines too */
  readonly allowOpen: boolean;
  readonly log: Log;
}

export function createRoutePublisher(dependencies: RoutePublisherDependencies): RoutePublisher {
  const { store, deployments, workspaces, addresses, gateway, routesFile, tokenKey, allowOpen, log } = dependencies;
  const { certificateFiles } = dependencies;
  /** version and content of the file, as this process wrote it last */
  let written: { readonly version: number; readonly content: string } | undefined;
  /** highest number that the gateway told: ours must be above */
  let seen = 0;
  let acknowledged = 0;
  let writing: Promise<number> = Promise.resolve(0);
  let waiting: Promise<number> | undefined;

  /** The version that holds everything which was in the database when this was called. */
  function write(): Promise<number> {
    waiting ??= writing
      .catch(() => {})
      .then(() => {
        // From here on a change may come too late for this snapshot.
        waiting = undefined;
        writing = writeNow();
        return writing;
      });
    return waiting;
  }

  async function writeNow(): Promise<number> {
    const certificates = await certificateRoutes();
    const services = await Promise.all(
      (await store.list()).map(async (service) => {
        const certificate = certificates.get(service.id);
        return { ...(await routeOf(service)), ...(certificate && { certificate }) };
      }),
    );
    services.sort((a, b) => (a.basePath < b.basePath ? -1 : 1));
    const content = JSON.stringify({ tokenKey, services });
    if (written?.content === content && written.version >= seen) return written.version;
    const version = await store.nextRouteVersion(seen);
    const snapshot: RouteSnapshot = { version, tokenKey: { ...tokenKey }, services };
    await writeFileAtomically(routesFile, JSON.stringify(snapshot));
    written = { version, content };
    return version;
  }

  async function certificateRoutes(): Promise<ReadonlyMap<string, NonNullable<ServiceRoute["certificate"]>>> {
    const certificates = await store.certificates();
    const files = await certificateFiles.write(certificates);
    return new Map(
      certificates.map(({ serviceId, cname }) => [serviceId, { file: files.get(serviceId) ?? "", hosts: [cname] }]),
    );
  }

  async function load(signal: AbortSignal): Promise<GatewayState> {
    const state = await gateway.loadRoutes(signal);
    seen = Math.max(seen, state.routesVersion);
    acknowledged = state.routesVersion;
    if (acknowledged === written?.version) await certificateFiles.tidy();
    return state;
  }

  async function routeOf(service: Service): Promise<ServiceRoute> {
    const { basePath } = await addresses(service.workspaceId, service.name);
    const workspace = await workspaces.byId(service.workspaceId);
    const keys = await store.keys(service.id);
    const revision = service.servingRevision === null ? undefined : await store.findRevision(service.servingRevision);
    const { replicas, reason, asleep } = await endpoints(service, revision);
    const limits = revision?.settings ?? service.desired;
    const { corsOrigins, maxBodyBytes } = gatewayProperties(service.properties);
    return {
      workspace: workspace?.name ?? service.workspaceId,
      name: service.name,
      basePath,
      revision: revision?.number ?? 0,
      auth: service.settings.tokenAuthEnabled ? "token" : service.settings.authEnabled ? "key" : "none",
      keyHashes: keys.map(({ salt, hash }) => ({ salt, hash })),
      open: allowOpen,
      scoringTimeoutMs: limits.scoringTimeoutMs,
      maxConcurrentRequests: limits.maxConcurrentRequests * requestsAtHand(service.computeType),
      maxQueueWaitMs: service.settings.maxQueueWaitMs,
      maxBodyBytes,
      ...(corsOrigins && { corsOrigins: [...corsOrigins] }),
      replicas,
      ...(asleep && { asleep }),
      ...(reason === undefined ? {} : { unavailableReason: reason }),
    };
  }

  async function endpoints(
    service: Service,
    revision: Revision | undefined,
  ): Promise<{ readonly replicas: ReplicaRoute[]; readonly asleep?: AsleepRoute; readonly reason?: string }> {
    if (revision === undefined) return { replicas: [], reason: reasonOf(service, errorOf(service)) };
    try {
      const observation = await deployments.targetOf(revision).observe(await deployments.of(service, revision));
      const asleep = asleepRoute(revision, observation);
      if (asleep !== undefined) return { replicas: [], asleep };
      const replicas = readyReplicas(observation);
      if (replicas.length > 0) return { replicas };
      return { replicas: [], reason: reasonOf(service, observation.cause ?? errorOf(service)) };
    } catch (error) {
      log.warn("a service could not be observed", { service: service.name, error });
      return { replicas: [], reason: reasonOf(service, causeOf(toAppError(error))) };
    }
  }

  return {
    async publish(signal) {
      for (let pause = FIRST_RETRY_MS; ; pause = Math.min(pause * 2, MAX_RETRY_MS)) {
        signal.throwIfAborted();
        const version = await write();
        try {
          const state = await load(signal);
          if (state.routesVersion === version || (written !== undefined && state.routesVersion === written.version)) {
            return state;
          }
        } catch (error) {
          signal.throwIfAborted();
          if ((error as AppError).code !== "GatewayUnreachable") throw error;
        }
        await delay(pause, undefined, { signal });
      }
    },
    async refresh(signal) {
      const version = await write();
      if (acknowledged === version) return;
      try {
        await load(signal);
      } catch (error) {
        signal.throwIfAborted();
        log.warn("the gateway has not taken the routes over yet", { version, error });
      }
    },
  };
}

/** The replicas that can take requests, in a steady order. */
export function readyReplicas(observation: Observation): ReplicaRoute[] {
  return observation.replicas
    .flatMap(({ id, state, framesSocket, nonce, httpSocket }) =>
      state === "ready" && framesSocket !== undefined && nonce !== undefined
        ? [{ id, framesSocket, nonce, ...(httpSocket !== undefined && { httpSocket }) }]
        : [],
    )
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** Also while its replica still ends, or runs again already: the gateway tries the socket before it starts anything. */
function asleepRoute({ settings }: Revision, { standby }: Observation): AsleepRoute | undefined {
  if (settings.replicas > 0 || standby === undefined) return undefined;
  const { startFile, ...replica } = standby;
  return { replica: { ...replica, probe: true }, startFile, wakeTimeoutMs: WAKE_TIMEOUT_MS };
}

function reasonOf(service: Service, cause: Cause | null | undefined): string {
  if (cause) return `The service ${service.name} has no running replica: ${cause.message}`;
  return `The service ${service.name} is being started.`;
}
