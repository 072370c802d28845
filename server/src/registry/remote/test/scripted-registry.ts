import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export const sha256 = (bytes: Uint8Array) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

export interface ScriptedRegistry {
  /** `127.0.0.1:PORT` */
  readonly host: string;
  /** `METHOD PATH` of every request that came */
  readonly requests: string[];
  /** `Authorization` of every request that came, in the same order */
  readonly authorizations: (string | undefined)[];
  close(): Promise<void>;
}

/** A registry that behaves as badly as a test wants it to, over real sockets on this machine. */
export async function serveRegistry(
  answer: (request: IncomingMessage, response: ServerResponse, path: string) => void,
): Promise<ScriptedRegistry> {
  const requests: string[] = [];
  const authorizations: (string | undefined)[] = [];
  const listener: RequestListener = (request, response) => {
    const path = request.url ?? "";
    requests.push(`${request.method} ${path}`);
    authorizations.push(request.headers.authorization);
    answer(request, response, path);
  };
  const server = createServer(listener);
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    authorizations,
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
