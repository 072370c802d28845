import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { certificateExpired, certificateIncomplete, certificateUnusable } from "./service-errors.ts";

/** What makes a service answer under a host name of its own. PEM texts. */
export interface ServiceCertificate {
  /** the service's own first, then those that vouch for it */
  readonly certificate: string;
  readonly key: string;
  readonly cname: string;
  /** ISO 8601 */
  readonly expiresAt: string;
}

/** What a request says about it; members that it leaves out stay as they are. */
export interface RequestedCertificate {
  readonly enabled?: boolean | undefined;
  readonly certificate?: string | undefined;
  readonly key?: string | undefined;
  readonly cname?: string | undefined;
}

const HOST_NAME = /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * Checks all that a handshake would need, so that a mistake fails the request and not the service's callers.
 *
 * @throws {AppError} CertificateIncomplete, CertificateUnusable, CertificateExpired
 */
export function checkCertificate(requested: RequestedCertificate, now: Date): ServiceCertificate {
  const { certificate, key } = requested;
  const cname = requested.cname?.toLowerCase();
  if (!certificate) throw certificateIncomplete("sslCertificate");
  if (!key) throw certificateIncomplete("sslKey");
  if (!cname) throw certificateIncomplete("cname");
  if (!HOST_NAME.test(cname)) throw certificateUnusable("cname", `"${cname.slice(0, 100)}" is no host name`);
  const chain = readChain(certificate);
  if (!chain.leaf.checkPrivateKey(readKey(key))) {
    throw certificateUnusable("sslKey", "it is the key of another certificate");
  }
  if (chain.leaf.checkHost(cname) === undefined) {
    throw certificateUnusable("sslCertificate", `it is for ${namesOf(chain.leaf)}, not for cname "${cname}"`);
  }
  const expiresAt = chain.leaf.validToDate;
  if (expiresAt <= now) throw certificateExpired(expiresAt);
  return { certificate: chain.pem, key, cname, expiresAt: expiresAt.toISOString() };
}

function readChain(text: string): { readonly leaf: X509Certificate; readonly pem: string } {
  const blocks = text.match(PEM_CERTIFICATE) ?? [];
  const [leaf] = blocks.map((block, index) => {
    try {
      return new X509Certificate(block);
    } catch (error) {
      throw certificateUnusable("sslCertificate", `its part ${index + 1} cannot be read (${reasonOf(error)})`);
    }
  });
  if (leaf === undefined) {
    throw certificateUnusable("sslCertificate", 'it is no PEM text, which has lines "-----BEGIN CERTIFICATE-----"');
  }
  return { leaf, pem: `${blocks.join("\n")}\n` };
}

function readKey(pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (error) {
    const encrypted = pem.includes("ENCRYPTED");
    throw certificateUnusable(
      "sslKey",
      encrypted ? "it is encrypted; give it without a password" : `it is no private key in PEM (${reasonOf(error)})`,
    );
  }
}

function namesOf({ subjectAltName, subject }: X509Certificate): string {
  return (subjectAltName ?? subject).replaceAll("\n", ", ").slice(0, 200);
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
