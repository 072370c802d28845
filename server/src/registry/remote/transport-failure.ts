import { AppError, errnoCode } from "../../platform/errors.ts";
import { SilenceError } from "./http-exchange.ts";
import {
  registryCertificate,
  registryHostUnknown,
  registryPlainHttp,
  registrySilent,
  registryUnreachable,
} from "./remote-errors.ts";

const NOT_TLS = new Set(["EPROTO", "ERR_SSL_WRONG_VERSION_NUMBER", "ERR_SSL_PACKET_LENGTH_TOO_LONG"]);
const CERTIFICATE =
  /^(?:CERT_|DEPTH_ZERO_SELF_SIGNED_CERT$|SELF_SIGNED_CERT|UNABLE_TO_|ERR_TLS_CERT_ALTNAME_INVALID$|HOSTNAME_MISMATCH$|INVALID_CA$)/;
const BROKEN = new Set(["ECONNRESET", "EPIPE", "ECONNABORTED", "ERR_STREAM_PREMATURE_CLOSE"]);

/** Whether the other side does not speak TLS at all. */
export function isNotTls(error: unknown): boolean {
  return NOT_TLS.has(errnoCode(error) ?? "");
}

/** Whether a connection that stood broke: what was asked may be asked again. */
export function isBroken(error: unknown): boolean {
  return BROKEN.has(errnoCode(error) ?? "");
}

/** A failed connection in words, by its cause. Our own errors and those that are none of the network's stay as they are. */
export function transportFailure(host: string, error: unknown, silenceMs: number): unknown {
  if (error instanceof AppError) return error;
  if (error instanceof SilenceError) return registrySilent(host, silenceMs);
  const code = errnoCode(error);
  if (code === undefined) return error;
  const message = (error as Error).message;
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return registryHostUnknown(host, error);
  if (CERTIFICATE.test(code)) return registryCertificate(host, message, error);
  if (isNotTls(error)) return registryPlainHttp(host, error);
  if (code === "ERR_PROXY_TUNNEL") return registryUnreachable(host, "the proxy refuses the connection", error);
  if (BROKEN.has(code)) return registryUnreachable(host, "the connection broke", error);
  if (code.startsWith("E") && "syscall" in (error as Error)) return registryUnreachable(host, code, error);
  return error;
}
