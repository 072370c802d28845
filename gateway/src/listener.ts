import type { Server } from "node:http";
import type { Http2SecureServer } from "node:http2";
import type { AddressInfo } from "node:net";
import type { GatewayConfig } from "@slipway/api";
import { GatewayStartError } from "./gateway-start-error.ts";

/**
 * Begins to accept callers: on the socket that was inherited under the number `inherited`, else on host and port.
 *
 * @returns the port
 * @throws {GatewayStartError}
 */
export async function listen(
  edge: Http2SecureServer,
  { host, port }: GatewayConfig,
  inherited: number | undefined,
): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    edge.once("error", (error: NodeJS.ErrnoException) => reject(cannotListen(error, host, port)));
    if (inherited === undefined) edge.listen(port, host, resolve);
    else edge.listen({ fd: inherited }, resolve);
  });
  return (edge.address() as AddressInfo).port;
}

/**
 * Tells the parent process that callers are served, and gives it a hold on the socket: should this process die, callers wait in the
 * socket's queue for the next one instead of being refused.
 */
export function reportReady(edge: Http2SecureServer): void {
  // The bare handle: whoever receives a server would accept callers itself.
  const { _handle: socket } = edge as unknown as { readonly _handle: Server };
  process.send?.({ type: "ready" }, socket);
}

function cannotListen(error: NodeJS.ErrnoException, host: string, port: number): Error {
  switch (error.code) {
    case "EADDRINUSE":
      return new GatewayStartError(
        "addressInUse",
        `Port ${port} on ${host} is in use by another program. Stop it, or choose another port with --gateway-port.`,
        error,
      );
    case "EACCES":
      return new GatewayStartError(
        "addressInUse",
        `Port ${port} needs more rights than this user has. Choose one from 1024 on with --gateway-port.`,
        error,
      );
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return new GatewayStartError("badConfig", `${host} is no address of this machine.`, error);
    default:
      return error;
  }
}
