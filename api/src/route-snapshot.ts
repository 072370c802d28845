import { type Static, Type } from "typebox";

/**
 * What the gateway knows: one immutable, numbered picture of all routes. The control plane writes it atomically to
 * `DIR/gateway/routes.json` and then asks the gateway to load it; the gateway starts from that file with no control plane alive.
 */
export const ReplicaRoute = Type.Object({
  id: Type.String(),
  /** Unix socket that speaks frames (`frames.ts`) */
  framesSocket: Type.String(),
  /** proves that the socket belongs to this replica: compared with the scorer's HELLO */
  nonce: Type.String(),
  /** it gets requests only once it has answered `GET /ready` with 200: nobody else has waited for that */
  probe: Type.Optional(Type.Boolean()),
  /** Unix socket that answers `GET /_slipway/state`, for `/metrics` */
  httpSocket: Type.Optional(Type.String()),
});
export type ReplicaRoute = Static<typeof ReplicaRoute>;

/** How a service without replicas is woken: by the gateway itself, since no control plane may be alive then. */
export const AsleepRoute = Type.Object({
  /** the replica that will answer once it is started; with `probe` */
  replica: ReplicaRoute,
  /** {@link StartFile} */
  startFile: Type.String(),
  /** how long requests may wait for it, instead of `maxQueueWaitMs` */
  wakeTimeoutMs: Type.Integer({ minimum: 0 }),
});
export type AsleepRoute = Static<typeof AsleepRoute>;

/** `RUN/start.json`: the process that a replica is. Its last two arguments, program and run folder, tell whether it runs already. */
export const StartFile = Type.Object({
  command: Type.Array(Type.String(), { minItems: 3 }),
  /** complete: nothing is inherited */
  env: Type.Record(Type.String(), Type.String()),
  /** takes what the process prints by itself; appended to */
  outputFile: Type.String(),
  /** of the boot that the file was made in: control groups and sockets' folders are gone after the next one */
  bootId: Type.String(),
});
export type StartFile = Static<typeof StartFile>;

export const ServiceRoute = Type.Object({
  workspace: Type.String(),
  name: Type.String(),
  /** `/api/v1/service/NAME` or `/w/WORKSPACE/api/v1/service/NAME`, no trailing slash */
  basePath: Type.String(),
  revision: Type.Integer(),
  auth: Type.Union([Type.Literal("none"), Type.Literal("key"), Type.Literal("token")]),
  /** `hash` is the hex of sha256(bytes of `salt`, then the key in UTF-8), `salt` is hex; either key opens the service */
  keyHashes: Type.Array(Type.Object({ salt: Type.String(), hash: Type.String() })),
  /** `auth: none` answers loopback peers only unless this is true (`--allow-open`) */
  open: Type.Boolean(),
  scoringTimeoutMs: Type.Integer({ minimum: 1 }),
  /** requests in work at once, per replica */
  maxConcurrentRequests: Type.Integer({ minimum: 1 }),
  maxQueueWaitMs: Type.Integer({ minimum: 0 }),
  /** must fit into one frame together with its head */
  maxBodyBytes: Type.Integer({ minimum: 1, maximum: 1_000_000_000 }),
  /** origins whose pages may call the service (CORS), or `*`; without it the replica answers for itself */
  corsOrigins: Type.Optional(Type.Array(Type.String())),
  /** for callers who ask for one of these hosts (SNI); `file` lies in `DIR/gateway/certificates/`: PEM, key and chain */
  certificate: Type.Optional(Type.Object({ file: Type.String(), hosts: Type.Array(Type.String()) })),
  replicas: Type.Array(ReplicaRoute),
  /** there only without replicas */
  asleep: Type.Optional(AsleepRoute),
  /** what a caller is told when there is no replica: the cause, in words */
  unavailableReason: Type.Optional(Type.String()),
});
export type ServiceRoute = Static<typeof ServiceRoute>;

export const RouteSnapshot = Type.Object({
  version: Type.Integer(),
  /** public key (JWK, ES256) that verifies service tokens */
  tokenKey: Type.Record(Type.String(), Type.Unknown()),
  services: Type.Array(ServiceRoute),
});
export type RouteSnapshot = Static<typeof RouteSnapshot>;

/**
 * The gateway's control socket `DIR/gateway/control.sock` speaks HTTP with these paths:
 * - `PUT /routes` (no body): load `routes.json` again; answers 200 {@link GatewayState} once it is in force. 409
 *   `RoutesOutdated` when a newer version is in force, 422 `RoutesInvalid` when the file is broken; the old picture stays.
 *   Of every service that changes, one new replica is connected before the switch, or up to 2 s are spent on trying.
 * - `PUT /certificate` (no body): read the certificate files again; 204, or 422 `CertificateUnusable` and the old pair stays
 * - `GET /state`: {@link GatewayState}
 * - `GET /signals`: {@link ServiceSignals} of every service, for decisions about the number of its replicas
 * - `GET /replicas/ID/in-flight?wait=MS`: `{ inFlight: number }`, answered when it is 0 or after `wait` (at most 60,000);
 *   also for replicas that left the routes
 *
 * Errors are `{ error: { code, message } }`.
 */
export const GatewayState = Type.Object({
  /** version in force; 0 while there are no routes */
  routesVersion: Type.Integer(),
  port: Type.Integer(),
  pid: Type.Integer(),
  /** ids of replicas in the routes that the gateway has no connection to at this moment */
  unreachableReplicas: Type.Array(Type.String()),
});
export type GatewayState = Static<typeof GatewayState>;

export const ServiceSignals = Type.Object({
  basePath: Type.String(),
  /** number of the revision whose replicas get requests */
  revision: Type.Integer(),
  /** requests that replicas work on */
  inFlight: Type.Integer(),
  queued: Type.Integer(),
  /** how many requests there were at once, waiting or in work: averages of a second each, oldest first, of the last minute at most */
  loads: Type.Array(Type.Number()),
  /** milliseconds without a request; counts from the start of the gateway at the earliest */
  idleMs: Type.Integer(),
});
export type ServiceSignals = Static<typeof ServiceSignals>;

/** Claims of a service token (ES256, issuer `slipway`): audience is the service's base path. */
export interface ServiceTokenClaims {
  readonly aud: string;
  readonly exp: number;
}
