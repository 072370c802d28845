import type { Admit } from "../http-edge.ts";
import type { ServiceKeys } from "./service-keys.ts";
import { credentialMissing, keyWrong } from "./standalone-errors.ts";

/** What probes ask: engines and clusters have no key. */
const OPEN_PATHS: ReadonlySet<string> = new Set(["/", "/ready", "/ping", "/v2/health/live", "/v2/health/ready"]);

/** Lets callers in by key, as the gateway does. Metrics are open to the container itself only. */
export function admitByKey(service: string, keys: ServiceKeys): Admit {
  if (!keys.needed) return () => undefined;
  return ({ url = "/", headers, socket }) => {
    const [path = "/"] = url.split("?", 1);
    if (OPEN_PATHS.has(path) || (path === "/metrics" && isLoopback(socket.remoteAddress))) return undefined;
    const key = /^bearer +(.+)$/i.exec(headers.authorization ?? "")?.[1];
    if (key === undefined) return credentialMissing(service);
    return keys.has(key.trim()) ? undefined : keyWrong(service);
  };
}

function isLoopback(peer: string | undefined): boolean {
  return peer !== undefined && (peer === "::1" || /^(::ffff:)?127\.\d+\.\d+\.\d+$/.test(peer));
}
