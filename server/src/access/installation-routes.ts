import type { HttpApp } from "../platform/http/app.ts";

export interface InstallationFacts {
  readonly version: string;
  readonly startedAt: string;
  readonly pid: number;
  /** the process to signal for `slipway restart` */
  readonly supervisor: number;
  /** PEM of the CA, for `slipway login` on another machine */
  readonly ca: string;
  readonly fingerprint: string;
  /** how user code is kept apart, in words */
  readonly isolation: string;
}

/** What anybody may know of this server; asked before there is trust or a token. */
export function installationRoutes(app: HttpApp, facts: InstallationFacts): void {
  const { ca, fingerprint, ...health } = facts;
  app.get("/health", async () => health);
  app.get("/ca", async () => ({ ca, fingerprint }));
}
