import { mkdir, readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { join } from "node:path";
import { readFileIfThere, writeFileAtomically } from "../platform/atomic-file.ts";
import type { Clock } from "../platform/clock.ts";
import type { Log } from "../platform/log.ts";
import type { SecretBox } from "../secret/index.ts";
import {
  authorityCovers,
  type CertificatePair,
  createAuthority,
  issueCertificate,
  LEAF_DAYS,
  readCertificate,
} from "./certificate-authority.ts";

const DAY_MS = 86_400_000;
/** Renewed in place when a third of the life is left: ten days in which something may be wrong. */
const RENEW_BEFORE_MS = (LEAF_DAYS / 3) * DAY_MS;
/** No leaf outlives its CA. */
const RENEW_CA_BEFORE_MS = LEAF_DAYS * DAY_MS;

export interface CertificateFiles {
  /** public: what clients trust */
  readonly caFile: string;
  readonly certificateFile: string;
  readonly keyFile: string;
  /** key and certificate in one, for the names alone: what gRPC clients take of a CA that is constrained to addresses, too */
  readonly nameCertificateFile: string;
}

/**
 * The installation's certificates in `DIR/tls`: CA (its key sealed), one leaf that control plane and gateway share, and one
 * for callers of the gateway by name.
 * A change of hosts makes a new CA, because the old one may not vouch for new names. So does its end, ten years on, or at once if it was
 * made when the clock stood in the past.
 */
export function createCertificateFiles(deps: {
  readonly folder: string;
  readonly hosts: readonly string[];
  readonly secrets: SecretBox;
  readonly clock: Clock;
  readonly log: Log;
}) {
  const files: CertificateFiles = {
    caFile: join(deps.folder, "ca.pem"),
    certificateFile: join(deps.folder, "server.pem"),
    keyFile: join(deps.folder, "server.key"),
    nameCertificateFile: join(deps.folder, "server-names.pem"),
  };
  const caKeyFile = join(deps.folder, "ca.key.sealed");

  async function authority(): Promise<CertificatePair> {
    const certificate = await readFileIfThere(files.caFile);
    const sealedKey = await readFileIfThere(caKeyFile);
    const known = certificate !== undefined && sealedKey !== undefined;
    if (known && authorityCovers(certificate, deps.hosts) && lives(certificate, RENEW_CA_BEFORE_MS)) {
      return { certificate, key: deps.secrets.open(sealedKey) };
    }
    const made = await createAuthority(deps.hosts, deps.clock.now());
    await writeFileAtomically(caKeyFile, deps.secrets.seal(made.key), 0o600);
    await writeFileAtomically(files.caFile, made.certificate, 0o644);
    if (certificate !== undefined) {
      deps.log.warn(
        "new CA: the names this server answers to changed, or its time is over; clients on other machines must log in again",
        { hosts: deps.hosts },
      );
    }
    return made;
  }

  const names = deps.hosts.filter((host) => isIP(host) === 0);

  async function leavesServe(): Promise<boolean> {
    if ((await readFileIfThere(files.keyFile)) === undefined) return false;
    return (await serves(files.certificateFile, deps.hosts)) && (await serves(files.nameCertificateFile, names));
  }

  async function serves(file: string, wanted: readonly string[]): Promise<boolean> {
    const pem = await readFileIfThere(file);
    if (pem === undefined) return false;
    const { hosts } = readCertificate(pem);
    return (
      hosts.length === wanted.length && wanted.every((host) => hosts.includes(host)) && lives(pem, RENEW_BEFORE_MS)
    );
  }

  /** Valid by this machine's clock, which may have been set back, and for longer than `leftMs`. */
  function lives(pem: string, leftMs: number): boolean {
    const { notBefore, notAfter } = readCertificate(pem);
    const now = deps.clock.now().getTime();
    return notBefore.getTime() <= now && notAfter.getTime() - now > leftMs;
  }

  return {
    files,
    /** Makes what is missing or old. @returns whether the leaves are new ones */
    async ensure(): Promise<boolean> {
      await mkdir(deps.folder, { recursive: true, mode: 0o755 });
      const before = await readFileIfThere(files.caFile);
      const ca = await authority();
      if (before === ca.certificate && (await leavesServe())) return false;
      const leaf = await issueCertificate(ca, deps.hosts, deps.clock.now());
      await writeFileAtomically(files.keyFile, leaf.key, 0o600);
      await writeFileAtomically(files.certificateFile, leaf.certificate, 0o644);
      const named = await issueCertificate(ca, names, deps.clock.now());
      await writeFileAtomically(files.nameCertificateFile, `${named.certificate}\n${named.key}\n`, 0o600);
      return true;
    },
    async read(): Promise<{ cert: string; key: string }> {
      return { cert: await readFile(files.certificateFile, "utf8"), key: await readFile(files.keyFile, "utf8") };
    },
  };
}
