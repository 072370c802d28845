import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import type { RouteSnapshot, ServiceSignals } from "@slipway/api";

/** The gateway's control socket: loads the route file and remembers every picture that was in force. */
export async function createGateway(folder: string) {
  const socket = join(folder, "control.sock");
  const routesFile = join(folder, "gateway", "routes.json");
  const snapshots: RouteSnapshot[] = [];
  const settings = {
    inFlight: 0,
    drained: [] as string[],
    down: false,
    newerInForce: 0,
    signals: [] as ServiceSignals[],
  };
  const server = createServer(async (request, response) => {
    if (settings.down) return response.destroy();
    if (request.method === "PUT") {
      const snapshot: RouteSnapshot = JSON.parse(await readFile(routesFile, "utf8"));
      if (snapshot.version < settings.newerInForce) response.statusCode = 409;
      else snapshots.push(snapshot);
    }
    if (request.url === "/signals") return response.end(JSON.stringify(settings.signals));
    const inFlight = /^\/replicas\/([^/]+)\/in-flight/.exec(request.url ?? "");
    if (inFlight) {
      settings.drained.push(inFlight[1] ?? "");
      return response.end(JSON.stringify({ inFlight: settings.inFlight }));
    }
    const routesVersion = Math.max(snapshots.at(-1)?.version ?? 0, settings.newerInForce);
    return response.end(JSON.stringify({ routesVersion, port: 1, pid: 1, unreachableReplicas: [] }));
  });
  await once(server.listen(socket), "listening");
  return {
    socket,
    routesFile,
    snapshots,
    settings,
    route: (name: string) => snapshots.at(-1)?.services.find((service) => service.name === name),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
