import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createSecureContext, type SecureContext } from "node:tls";
import type { RouteSnapshot } from "@slipway/api";
import type { Log } from "./log.ts";

/** Certificates that people ordered themselves are renewed by people: they are told this long before. */
const WARN_DAYS = 14;
const DAY_MS = 86_400_000;

interface Loaded {
  readonly context: SecureContext;
  readonly expiresAt: Date;
}

export type CertificateRoute = NonNullable<RouteSnapshot["services"][number]["certificate"]>;

/** Certificates of single services, chosen by the host name that a caller asks for (SNI). Files are named by their content, so they are read once. */
export class ServiceCertificates {
  readonly #folder: string;
  readonly #log: Log;
  #loaded: ReadonlyMap<string, Loaded> = new Map();
  #byHost: ReadonlyMap<string, SecureContext> = new Map();

  /** @param folder holds PEM files, each with a key and its certificate chain */
  constructor(folder: string, log: Log) {
    this.#folder = folder;
    this.#log = log;
  }

  /**
   * Handshakes from then on get what the snapshot names; open connections stay as they are. A file that cannot be used costs its
   * service the host name, nothing else.
   */
  async apply({ services }: RouteSnapshot): Promise<void> {
    const loaded = new Map<string, Loaded>();
    const byHost = new Map<string, SecureContext>();
    for (const { certificate, name } of services) {
      if (certificate === undefined) continue;
      try {
        const found =
          loaded.get(certificate.file) ?? this.#loaded.get(certificate.file) ?? (await this.#load(certificate));
        loaded.set(certificate.file, found);
        for (const host of certificate.hosts) byHost.set(host, found.context);
      } catch (error) {
        this.#log.error("certificate of a service unusable", { service: name, ...certificate, cause: String(error) });
      }
    }
    this.#loaded = loaded;
    this.#byHost = byHost;
  }

  /** For Node's `SNICallback`: `undefined` is the gateway's own certificate. */
  contextFor(host: string): SecureContext | undefined {
    return this.#byHost.get(host.toLowerCase());
  }

  /** Called once a day. */
  warnOfExpiry(now: Date): void {
    for (const [file, { expiresAt }] of this.#loaded) this.#tellExpiry(file, expiresAt, now);
  }

  async #load({ file, hosts }: CertificateRoute): Promise<Loaded> {
    const pem = await readFile(join(this.#folder, file));
    const context = createSecureContext({ cert: pem, key: pem });
    const expiresAt = new X509Certificate(pem).validToDate;
    this.#log.info("certificate of a service loaded", { file, hosts, expiresAt: expiresAt.toISOString() });
    this.#tellExpiry(file, expiresAt, new Date());
    return { context, expiresAt };
  }

  #tellExpiry(file: string, expiresAt: Date, now: Date): void {
    const days = Math.floor((expiresAt.getTime() - now.getTime()) / DAY_MS);
    if (days >= WARN_DAYS) return;
    const message = days < 0 ? "certificate of a service has expired" : "certificate of a service expires soon";
    this.#log.warn(message, { file, expiresAt: expiresAt.toISOString() });
  }
}
