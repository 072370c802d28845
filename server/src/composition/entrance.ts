import type { Server as HttpsServer } from "node:https";
import { createCertificateFiles } from "../access/index.ts";
import { certificateHosts, gatewayUrl, hostToListenOn } from "../listening.ts";
import { writeFileAtomically } from "../platform/atomic-file.ts";
import type { HttpApp } from "../platform/http/app.ts";
import { detectIsolation } from "../platform/sandbox.ts";
import type { Data } from "./data.ts";
import type { Installation } from "./installation.ts";

/** Often: a machine that slept, or whose clock was set, may be beyond a certificate's life at once. */
const RENEWAL_CHECK_MS = 10_000;

export type Entrance = Awaited<ReturnType<typeof prepareEntrance>>;

/** Where clients come in: on which interfaces (isolation decides), with which certificate. The gateway reads the same from a file. */
export async function prepareEntrance(installation: Installation, { secretBox }: Data) {
  const { config, layout, publicUrl, clock, log } = installation;
  const isolation = await detectIsolation({
    probeCommand: ["python3", "-c", ""],
    reach: [layout.environments, layout.images],
    hidden: [config.dataFolder],
    signal: AbortSignal.timeout(60_000),
  });
  const host = hostToListenOn(publicUrl, isolation.kind === "none");
  const certificates = createCertificateFiles({
    folder: layout.tls,
    hosts: certificateHosts(publicUrl),
    secrets: secretBox,
    clock,
    log,
  });
  await certificates.ensure();
  const { certificateFile, keyFile, nameCertificateFile, caFile } = certificates.files;
  await writeJson(layout.gatewayConfig, {
    folder: layout.gateway,
    host,
    port: config.gatewayPort,
    certificateFile,
    keyFile,
    nameCertificateFile,
    allowOpen: config.allowOpen,
  });

  /** Open connections keep the old certificate; the gateway sees the new files by itself. */
  async function renewCertificate(app: HttpApp): Promise<void> {
    try {
      if (!(await certificates.ensure())) return;
      (app.server as unknown as HttpsServer).setSecureContext(await certificates.read());
      log.info("certificate renewed");
    } catch (error) {
      log.error("certificate not renewed; the old one stays in force", { error });
    }
  }

  return {
    isolation,
    host,
    certificates,
    /** For the command line on this machine; whoever may read the file may use the server. */
    announce: (identitySecret: string) =>
      writeJson(layout.clientFile, {
        url: publicUrl,
        caFile,
        tokenUrl: `${publicUrl}/msi/${identitySecret}/token`,
        gatewayUrl: gatewayUrl(publicUrl, config.gatewayPort),
      }),
    /** @returns what ends it */
    keepCertificateFresh(app: HttpApp): () => void {
      const timer = setInterval(() => void renewCertificate(app), RENEWAL_CHECK_MS);
      return () => clearInterval(timer);
    },
  };
}

function writeJson(file: string, content: Readonly<Record<string, unknown>>): Promise<void> {
  return writeFileAtomically(file, `${JSON.stringify(content)}\n`);
}
