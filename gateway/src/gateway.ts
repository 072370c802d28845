import { access, constants } from "node:fs/promises";
import type { Server as HttpServer } from "node:http";
import type { Http2SecureServer } from "node:http2";
import { join } from "node:path";
import type { GatewayConfig, GatewayState, RouteSnapshot } from "@slipway/api";
import { BodyBudget } from "./body.ts";
import { NameCertificate, readCertificate, swapCertificate, watchCertificate } from "./certificate.ts";
import { assertNoLiveGateway, type ControlActions, ControlError, listenForControl } from "./control-socket.ts";
import { connectionEnder, createEdge, type Patience } from "./edge.ts";
import { GatewayStartError } from "./gateway-start-error.ts";
import { listen, reportReady } from "./listener.ts";
import type { Log } from "./log.ts";
import { metricsKey } from "./metrics-key.ts";
import { RoutesInvalid, readRoutesFile } from "./routes-file.ts";
import { Routing } from "./routing.ts";
import { ServiceCertificates } from "./service-certificates.ts";
import { ServiceMetrics } from "./service-metrics.ts";

const DRAIN_MS = 30_000;
const TICK_MS = 1000;
const DAY_MS = 86_400_000;
const MAX_BUFFERED_BYTES = 1024 * 1024 * 1024;

export interface Gateway {
  readonly port: number;
  /** Tells the parent process, if there is one that listens, and lets it hold the socket. */
  reportReady(): void;
  /** Stops accepting, lets what is in work finish (for `drainMs` at most), closes everything. */
  close(): Promise<void>;
}

export interface GatewayOptions {
  readonly patience?: Patience | undefined;
  /** number of the socket that an earlier gateway listened on; instead of host and port */
  readonly listenerFd?: number | undefined;
}

/**
 * Starts from `routes.json`, needs no control plane.
 *
 * @throws {GatewayStartError}
 */
export async function startGateway(
  config: GatewayConfig,
  log: Log,
  { patience, listenerFd }: GatewayOptions = {},
): Promise<Gateway> {
  const controlPath = join(config.folder, "control.sock");
  const routesFile = join(config.folder, "routes.json");
  await assertNoLiveGateway(controlPath);
  await assertWritable(config.folder);
  const unusable = (error: unknown): never => {
    throw new GatewayStartError("badConfig", `The certificate cannot be used: ${String(error)}`, error);
  };
  const pair = await readCertificate(config).catch(unusable);
  const names = new NameCertificate();
  await names.read(config).catch(unusable);
  const certificates = new ServiceCertificates(join(config.folder, "certificates"), log);
  const routing = new Routing(log, config.allowOpen ?? false, certificates);
  const firstRoutes = await readFirstRoutes(routesFile, log);
  let closing = false;
  const edge = createEdge(
    pair,
    {
      table: () => routing.table,
      closing: () => closing,
      bodies: new BodyBudget(config.maxBufferedBytes ?? MAX_BUFFERED_BYTES),
      log,
      unrouted: new ServiceMetrics(),
      metricsKey: await metricsKey(config.folder),
    },
    (host) => certificates.contextFor(host) ?? names.context,
    patience,
  );
  const endConnections = connectionEnder(edge);
  const port = await listen(edge, config, listenerFd);
  // Comes into force before the first connection is looked at: nothing else runs in between.
  if (firstRoutes !== undefined) await routing.apply(firstRoutes);
  const ticks = setInterval(() => routing.tick(), TICK_MS).unref();
  const days = setInterval(() => certificates.warnOfExpiry(new Date()), DAY_MS).unref();
  const unwatch = watchCertificate(edge, config, names, log);
  const control = await listenForControl(
    controlPath,
    controlActions(config, routing, { edge, names, port }, routesFile),
  );
  log.info("gateway ready", { host: config.host, port, routesVersion: routing.table?.version ?? 0 });
  let closed: Promise<void> | undefined;
  return {
    port,
    reportReady: () => reportReady(edge),
    close() {
      closing = true;
      unwatch();
      clearInterval(ticks);
      clearInterval(days);
      closed ??= drain(edge, endConnections, control, routing, config.drainMs ?? DRAIN_MS, log);
      return closed;
    },
  };
}

/** A broken file is no reason to stay away: the control plane can then write a good one and say so. Until then 503. */
async function readFirstRoutes(file: string, log: Log): Promise<RouteSnapshot | undefined> {
  try {
    return (await readRoutesFile(file)) ?? { version: 0, tokenKey: {}, services: [] };
  } catch (error) {
    if (!(error instanceof RoutesInvalid)) throw error;
    log.error("routes unusable, every request is answered 503", { cause: error.message });
    return undefined;
  }
}

async function assertWritable(folder: string): Promise<void> {
  await access(folder, constants.W_OK).catch((error: unknown) => {
    throw new GatewayStartError("badConfig", `The folder ${folder} is missing or cannot be written to.`, error);
  });
}

function controlActions(
  config: GatewayConfig,
  routing: Routing,
  { edge, names, port }: { edge: Http2SecureServer; names: NameCertificate; port: number },
  routesFile: string,
): ControlActions {
  let loading: Promise<void> = Promise.resolve();
  return {
    state: (): GatewayState => ({
      routesVersion: routing.table?.version ?? 0,
      port,
      pid: process.pid,
      unreachableReplicas: [...routing.unreachableReplicas],
    }),
    loadRoutes() {
      const load = () => loadRoutes(routing, routesFile);
      // One after the other, whatever became of the one before.
      const mine = loading.then(load, load);
      loading = mine;
      return mine;
    },
    loadCertificate: () =>
      swapCertificate(edge, config, names).catch((error: unknown) => {
        throw new ControlError(422, "CertificateUnusable", `The old certificate stays in force: ${String(error)}`);
      }),
    signals: () => routing.signals(),
    inFlight: (replicaId) => routing.inFlight(replicaId),
    whenIdle: (replicaId, waitMs) => routing.whenIdle(replicaId, waitMs),
  };
}

async function loadRoutes(routing: Routing, file: string): Promise<void> {
  const inForce = routing.table?.version ?? 0;
  const snapshot = await readRoutesFile(file).catch((error: unknown) => {
    throw new ControlError(422, "RoutesInvalid", `Version ${inForce} stays in force. ${String(error)}`);
  });
  if (snapshot === undefined) throw new ControlError(422, "RoutesInvalid", `There is no ${file}.`);
  if (snapshot.version < inForce) {
    throw new ControlError(
      409,
      "RoutesOutdated",
      `The file has version ${snapshot.version}, in force is ${inForce}: write one with a higher version.`,
    );
  }
  if (routing.table === undefined || snapshot.version > inForce) await routing.apply(snapshot);
}

async function drain(
  edge: Http2SecureServer,
  endConnections: () => void,
  control: HttpServer,
  routing: Routing,
  drainMs: number,
  log: Log,
): Promise<void> {
  const timer = setTimeout(() => {
    log.warn("requests in work are cut off", { afterMs: drainMs });
    endConnections();
  }, drainMs);
  // Closes idle connections too; the others close with their answer.
  await new Promise((resolve) => edge.close(resolve));
  clearTimeout(timer);
  routing.close();
  control.closeAllConnections();
  await new Promise((resolve) => control.close(resolve));
  log.info("gateway stopped");
}
