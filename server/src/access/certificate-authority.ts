import "reflect-metadata";
import { createHash, webcrypto } from "node:crypto";
import { isIP } from "node:net";
import * as x509 from "@peculiar/x509";
import { encodeNameConstraints } from "./name-constraints.ts";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const DAY_MS = 86_400_000;
const CA_DAYS = 3_650;
/**
 * The clock of a new machine may be ahead by hours until it is set right. A leaf that is not valid yet is replaced in silence; a
 * CA that is not would cost every client a login.
 */
const CA_DAYS_BEFORE = 365;
/** Short-lived: a stolen key is worth little, and renewal is exercised often. */
export const LEAF_DAYS = 30;
const NAME_CONSTRAINTS = "2.5.29.30";

/** PEM texts. */
export interface CertificatePair {
  readonly certificate: string;
  readonly key: string;
}

x509.cryptoProvider.set(webcrypto as never);

/**
 * A private CA that can vouch for these hosts and no others, so that trusting it gives nobody the rest of the web.
 * The extensions are those that strict verification (Python ≥ 3.13) insists on.
 */
export async function createAuthority(hosts: readonly string[], now: Date): Promise<CertificatePair> {
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerial(),
    name: "CN=Slipway private CA, O=Slipway",
    notBefore: new Date(now.getTime() - CA_DAYS_BEFORE * DAY_MS),
    notAfter: new Date(now.getTime() + CA_DAYS * DAY_MS),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      new x509.Extension(NAME_CONSTRAINTS, true, Uint8Array.from(encodeNameConstraints(hosts))),
    ],
  });
  return { certificate: certificate.toString("pem"), key: await exportKey(keys.privateKey) };
}

/** A server certificate for the hosts, followed by nothing: the CA is in the client's bundle. */
export async function issueCertificate(
  authority: CertificatePair,
  hosts: readonly string[],
  now: Date,
): Promise<CertificatePair> {
  const issuer = new x509.X509Certificate(authority.certificate);
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: `CN=${hosts[0]}`,
    issuer: issuer.subject,
    notBefore: new Date(now.getTime() - 3_600_000),
    notAfter: new Date(now.getTime() + LEAF_DAYS * DAY_MS),
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey: await importKey(authority.key),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(hosts.map((host) => ({ type: isIP(host) ? "ip" : "dns", value: host }))),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
    ],
  });
  return { certificate: certificate.toString("pem"), key: await exportKey(keys.privateKey) };
}

/** Hosts and life of a certificate, to decide whether it still serves. */
export function readCertificate(pem: string): {
  readonly hosts: readonly string[];
  readonly notBefore: Date;
  readonly notAfter: Date;
} {
  const certificate = new x509.X509Certificate(pem);
  const names = certificate.getExtension(x509.SubjectAlternativeNameExtension)?.names.items ?? [];
  return { hosts: names.map((name) => name.value), notBefore: certificate.notBefore, notAfter: certificate.notAfter };
}

/** True when the CA may vouch for exactly these hosts. */
export function authorityCovers(pem: string, hosts: readonly string[]): boolean {
  const constraint = new x509.X509Certificate(pem).getExtension(NAME_CONSTRAINTS);
  return constraint !== null && Buffer.from(constraint.value).equals(encodeNameConstraints(hosts));
}

/** SHA-256 of the certificate, as people compare it: `AB:CD:…`. */
export function fingerprint(pem: string): string {
  const hex = createHash("sha256")
    .update(new Uint8Array(new x509.X509Certificate(pem).rawData))
    .digest("hex")
    .toUpperCase();
  return hex.match(/../g)?.join(":") ?? hex;
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
}

/** Positive and at most 20 bytes (RFC 5280, section 4.1.2.2). */
function newSerial(): string {
  const bytes = webcrypto.getRandomValues(new Uint8Array(16));
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return Buffer.from(bytes).toString("hex");
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  const der = await webcrypto.subtle.exportKey("pkcs8", key);
  return x509.PemConverter.encode(der, "PRIVATE KEY");
}

async function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  const der = x509.PemConverter.decodeFirst(pem);
  return webcrypto.subtle.importKey("pkcs8", der, ALGORITHM, true, ["sign"]);
}
