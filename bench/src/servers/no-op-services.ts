import { execFile } from "node:child_process";
import { hash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { DATA_PLANE_NODE_OPTIONS, type GatewayConfig, type RouteSnapshot } from "@slipway/api";
import { freePort, repository } from "../../../e2e/src/harness/installation.ts";
import type { Context } from "../benchmark.ts";
import { type ScoringAddress, startServer } from "./contender.ts";

const BODY = JSON.stringify({ data: Array.from({ length: 20 }, (_, index) => index / 7) });
const SERVICE = "/api/v1/service/no-op";
const noOpMain = fileURLToPath(new URL("./no-op-main.ts", import.meta.url));
const proxyMain = fileURLToPath(new URL("./reverse-proxy-main.ts", import.meta.url));
const plainGatewayMain = fileURLToPath(new URL("./plain-gateway-main.ts", import.meta.url));
const gatewayMain = join(repository, "gateway/src/main.ts");

/** Ways to a server that does nothing, each a process of its own. */
export interface NoOpServices {
  readonly direct: ScoringAddress;
  /** bare Node as a reverse proxy */
  readonly proxy: ScoringAddress;
  /** the gateway as it is, with TLS and a key */
  readonly gateway: ScoringAddress;
  /** the gateway's own way of a request behind plain HTTP, with a key */
  readonly plainGateway: ScoringAddress;
}

export async function startNoOpServices(context: Context): Promise<NoOpServices> {
  const folder = await mkdtemp(join(context.folder, "no-op-"));
  const key = randomBytes(24).toString("base64url");
  const [noOpPort, proxyPort, gatewayPort, plainPort] = await Promise.all([
    freePort(),
    freePort(),
    freePort(),
    freePort(),
  ]);
  const frames = { framesSocket: join(folder, "frames.sock"), nonce: "no-op" };
  const config = await writeGatewayFolder(folder, gatewayPort, key, frames);

  const plain = (port: number, path = "/"): ScoringAddress => ({ url: `http://127.0.0.1:${port}${path}`, body: BODY });
  const authorization = `Bearer ${key}`;
  const services: NoOpServices = {
    direct: plain(noOpPort),
    proxy: plain(proxyPort),
    gateway: {
      url: `https://localhost:${gatewayPort}${SERVICE}/score`,
      body: BODY,
      authorization,
    },
    plainGateway: { ...plain(plainPort, `${SERVICE}/score`), authorization },
  };
  const start = async (address: ScoringAddress, program: string, ...args: readonly (string | number)[]) => {
    const options = ["--conditions=slipway-source", ...(program === proxyMain ? [] : DATA_PLANE_NODE_OPTIONS)];
    const command = [process.execPath, ...options, program, ...args.map(String)];
    await startServer({ context, folder: await mkdtemp(join(folder, "server-")) }, command, () => listens(address));
  };
  await start(services.direct, noOpMain, noOpPort, frames.framesSocket, frames.nonce);
  await start(services.proxy, proxyMain, proxyPort, noOpPort);
  await start(services.gateway, gatewayMain, config);
  await start(services.plainGateway, plainGatewayMain, plainPort, folder);
  return services;
}

async function writeGatewayFolder(
  folder: string,
  port: number,
  key: string,
  frames: { readonly framesSocket: string; readonly nonce: string },
): Promise<string> {
  const certificateFile = join(folder, "tls.pem");
  const keyFile = join(folder, "tls.key");
  const made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", keyFile];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  await promisify(execFile)("openssl", ["req", "-x509", "-days", "2", ...made, "-out", certificateFile, ...subject]);
  const salt = randomBytes(16);
  const routes: RouteSnapshot = {
    version: 1,
    tokenKey: {},
    services: [
      {
        workspace: "default",
        name: "no-op",
        basePath: SERVICE,
        revision: 1,
        auth: "key",
        keyHashes: [
          { salt: salt.toString("hex"), hash: hash("sha256", Buffer.concat([salt, Buffer.from(key)]), "hex") },
        ],
        open: false,
        scoringTimeoutMs: 60_000,
        maxConcurrentRequests: 1000,
        maxQueueWaitMs: 60_000,
        maxBodyBytes: 1024 * 1024,
        replicas: [{ id: "no-op", ...frames }],
      },
    ],
  };
  const config: GatewayConfig = { folder, host: "127.0.0.1", port, certificateFile, keyFile };
  const configFile = join(folder, "gateway.json");
  await writeFile(join(folder, "routes.json"), JSON.stringify(routes));
  await writeFile(configFile, JSON.stringify(config));
  return configFile;
}

/** What comes before a way is whole waits in the gateway, so an open port is enough. */
async function listens({ url }: ScoringAddress): Promise<boolean> {
  const socket = connect({ host: "127.0.0.1", port: Number(new URL(url).port) });
  await once(socket, "connect");
  socket.destroy();
  return true;
}
