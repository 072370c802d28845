import { chmod, unlink } from "node:fs/promises";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import { GatewayState, type ServiceSignals, shapeProblems } from "@slipway/api";
import { GatewayStartError } from "./gateway-start-error.ts";

/** Longest `wait` of an in-flight question. */
const LONGEST_WAIT_MS = 60_000;
/** Unix domain addresses hold 107 bytes (108 with the final NUL). */
const MAX_SOCKET_PATH_BYTES = 107;

/** What can be refused on the control socket, with the HTTP status of the refusal. */
export class ControlError extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** What the control plane can ask of the gateway; `api/src/route-snapshot.ts` has the contract. */
export interface ControlActions {
  state(): GatewayState;
  /** @throws {ControlError} */
  loadRoutes(): Promise<void>;
  /** @throws {ControlError} */
  loadCertificate(): Promise<void>;
  signals(): readonly ServiceSignals[];
  inFlight(replicaId: string): number;
  whenIdle(replicaId: string, waitMs: number): Promise<void>;
}

/** @throws {GatewayStartError} a gateway answers on this socket already */
export async function assertNoLiveGateway(path: string): Promise<void> {
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH_BYTES) {
    throw new GatewayStartError(
      "badConfig",
      `The path of the control socket has more than ${MAX_SOCKET_PATH_BYTES} bytes: ${path}. Choose a data folder with a shorter path.`,
    );
  }
  const pid = await livePid(path);
  if (pid !== undefined) {
    throw new GatewayStartError(
      "alreadyRunning",
      `Another gateway (process ${pid}) serves ${path} already. Stop it first, or use another data folder.`,
    );
  }
}

/** Call after {@link assertNoLiveGateway}: a socket file that is there now was left by a dead gateway. */
export async function listenForControl(path: string, actions: ControlActions): Promise<Server> {
  const server = createServer((incoming, response) => {
    answer(actions, incoming, response).catch((error: unknown) => {
      const refused = error instanceof ControlError ? error : new ControlError(500, "InternalError", String(error));
      sendJson(response, refused.status, { error: { code: refused.code, message: refused.message } });
    });
  });
  await unlink(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, resolve);
  });
  await chmod(path, 0o600);
  return server;
}

async function answer(actions: ControlActions, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(incoming.url ?? "/", "http://gateway");
  const replica = /^\/replicas\/([^/]+)\/in-flight$/.exec(url.pathname)?.[1];
  if (replica !== undefined && incoming.method === "GET") {
    const id = decoded(replica);
    const wait = Number(url.searchParams.get("wait") ?? 0);
    if (!(wait >= 0)) throw new ControlError(400, "BadWait", "wait must be milliseconds, 0 or more.");
    await actions.whenIdle(id, Math.min(wait, LONGEST_WAIT_MS));
    sendJson(response, 200, { inFlight: actions.inFlight(id) });
    return;
  }
  switch (`${incoming.method} ${url.pathname}`) {
    case "GET /state":
      sendJson(response, 200, actions.state());
      return;
    case "GET /signals":
      sendJson(response, 200, actions.signals());
      return;
    case "PUT /routes":
      await actions.loadRoutes();
      sendJson(response, 200, actions.state());
      return;
    case "PUT /certificate":
      await actions.loadCertificate();
      response.writeHead(204).end();
      return;
    default:
      throw new ControlError(404, "NoSuchCall", `The control socket has no ${incoming.method} ${url.pathname}.`);
  }
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new ControlError(400, "BadReplicaId", `'${segment}' is not a percent-encoded id.`);
  }
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  const body = JSON.stringify(value);
  response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(body) });
  response.end(body);
}

/** The process that answers on the socket; `undefined` when the socket is missing or nobody listens. */
function livePid(path: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath: path, path: "/state", timeout: 2000 }, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("end", () => {
        try {
          const state: unknown = JSON.parse(Buffer.concat(parts).toString());
          if (shapeProblems(GatewayState, state).length === 0) return resolve((state as GatewayState).pid);
        } catch {
          // answered below: whoever answers something else is no gateway
        }
        reject(new GatewayStartError("badConfig", `Something that is no gateway answers on ${path}.`));
      });
    });
    asked.on("timeout", () =>
      asked.destroy(new GatewayStartError("alreadyRunning", `A gateway holds ${path} and does not answer.`)),
    );
    asked.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT" || error.code === "ECONNREFUSED") resolve(undefined);
      else reject(error);
    });
    asked.end();
  });
}
