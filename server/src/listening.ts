import { hostname } from "node:os";
import { AppError, errnoCode } from "./platform/errors.ts";
import type { HttpApp } from "./platform/http/app.ts";

const LOOPBACK = ["localhost", "127.0.0.1", "::1"];

/**
 * Loopback unless another host is made public. Without isolation, user code has the server's rights: then loopback only, whatever was asked for.
 */
export function hostToListenOn(publicUrl: string, withoutIsolation: boolean): string {
  return withoutIsolation || LOOPBACK.includes(publicHost(publicUrl)) ? "127.0.0.1" : "0.0.0.0";
}

/** The names and addresses that clients may use, for the certificate. */
export function certificateHosts(publicUrl: string): readonly string[] {
  const own = hostname().toLowerCase();
  const isName = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(own);
  return [...new Set([...LOOPBACK, ...(isName ? [own] : []), publicHost(publicUrl)])];
}

/** The gateway has the same host on its own port. */
export function gatewayUrl(publicUrl: string, port: number): string {
  const url = new URL(publicUrl);
  url.port = String(port);
  return url.origin;
}

/** @throws {AppError} PortInUse, PortNotAllowed */
export async function listen(app: HttpApp, port: number, host: string): Promise<void> {
  try {
    await app.listen({ port, host });
  } catch (error) {
    if (errnoCode(error) === "EADDRINUSE") throw portInUse(port, error);
    if (errnoCode(error) === "EACCES") throw portNotAllowed(port, error);
    throw error;
  }
}

function publicHost(publicUrl: string): string {
  return new URL(publicUrl).hostname.replace(/^\[|\]$/g, "");
}

function portInUse(port: number, cause: unknown): AppError {
  return new AppError({
    code: "PortInUse",
    kind: "conflict",
    message: `Port ${port} is used by another program. Stop it, or choose another port with --port.`,
    cause,
  });
}

function portNotAllowed(port: number, cause: unknown): AppError {
  return new AppError({
    code: "PortNotAllowed",
    kind: "forbidden",
    message: `This user may not listen on port ${port}. Choose one above 1023 with --port.`,
    cause,
  });
}
