import { isIP } from "node:net";
import { apiHost } from "./image-reference.ts";
import { redirectRefused } from "./remote-errors.ts";

/** Which registries are spoken to by HTTPS, and which may be without. */
export interface RegistryAddresses {
  /** `https://host:port` */
  origin(host: string): string;
  /** The registry does not speak TLS. @returns whether it may be used so; then `origin` begins with `http:` from now on */
  allowPlain(host: string): boolean;
  /** @throws {AppError} RedirectRefused when `to` is without encryption and `from` is not, or is no web address */
  checkRedirect(host: string, from: URL, to: URL): void;
}

/** @param insecure hosts (`host` or `host:port`) that may be used without encryption; this machine's own always may */
export function createRegistryAddresses(insecure: readonly string[]): RegistryAddresses {
  const plain = new Set<string>();
  const mayBePlain = (host: string) =>
    insecure.includes(host) || isLoopback(new URL(`http://${apiHost(host)}`).hostname);
  return {
    origin(host) {
      return new URL(`${plain.has(host) ? "http" : "https"}://${apiHost(host)}`).origin;
    },
    allowPlain(host) {
      if (!mayBePlain(host)) return false;
      plain.add(host);
      return true;
    },
    checkRedirect(host, from, to) {
      if (to.username !== "" || to.password !== "") throw redirectRefused(host, "the address has credentials in it");
      if (to.protocol === "https:") return;
      if (to.protocol !== "http:") throw redirectRefused(host, `${to.protocol.slice(0, 20)} is no web address`);
      if (from.protocol !== "http:" || !mayBePlain(to.host)) {
        throw redirectRefused(host, `http://${to.host} is without encryption`);
      }
    },
  };
}

function isLoopback(hostname: string): boolean {
  const name = hostname.replace(/^\[|\]$/g, "");
  return name === "localhost" || name === "::1" || (isIP(name) === 4 && name.startsWith("127."));
}
