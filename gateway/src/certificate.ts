import { unwatchFile, watchFile } from "node:fs";
import { readFile } from "node:fs/promises";
import type { Http2SecureServer } from "node:http2";
import { createSecureContext, type SecureContext } from "node:tls";
import type { Log } from "./log.ts";

/** Renewal has days of time, and `PUT /certificate` is there for those who cannot wait. */
const LOOK_EVERY_MS = 5000;

export interface CertificateFiles {
  readonly certificateFile: string;
  readonly keyFile: string;
  readonly nameCertificateFile?: string;
}

export interface CertificatePair {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** @throws when a file is missing or the two do not belong together */
export async function readCertificate({ certificateFile, keyFile }: CertificateFiles): Promise<CertificatePair> {
  const [cert, key] = await Promise.all([readFile(certificateFile), readFile(keyFile)]);
  createSecureContext({ cert, key });
  return { cert, key };
}

/**
 * The certificate for callers that ask for a host name (SNI). It speaks for names only: BoringSSL, and with it every gRPC client in
 * Python and C++, refuses one that speaks for addresses, too, when its CA is constrained to certain addresses.
 */
export class NameCertificate {
  #context: SecureContext | undefined;

  /** @throws as {@link readCertificate}; then the old one stays in force */
  async read({ nameCertificateFile }: CertificateFiles): Promise<void> {
    if (nameCertificateFile === undefined) return;
    const pem = await readFile(nameCertificateFile);
    this.#context = createSecureContext({ cert: pem, key: pem });
  }

  /** For Node's `SNICallback`: `undefined` is the listener's own certificate. */
  get context(): SecureContext | undefined {
    return this.#context;
  }
}

/**
 * Puts the pair of the files in force: new handshakes get it, open connections stay as they are.
 *
 * @throws as {@link readCertificate}; then the old pair stays in force
 */
export async function swapCertificate(
  server: Http2SecureServer,
  files: CertificateFiles,
  names: NameCertificate,
): Promise<void> {
  server.setSecureContext(await readCertificate(files));
  await names.read(files);
}

/** Looks at the files (polling: they are replaced by renaming, which a watch on the old inode does not see). */
export function watchCertificate(
  server: Http2SecureServer,
  files: CertificateFiles,
  names: NameCertificate,
  log: Log,
): () => void {
  const look = () => {
    swapCertificate(server, files, names).then(
      () => log.info("certificate in force", { file: files.certificateFile }),
      (error: unknown) => log.warn("certificate unusable, the old one stays", { cause: String(error) }),
    );
  };
  const watched = [files.certificateFile, files.keyFile, files.nameCertificateFile].filter(
    (file) => file !== undefined,
  );
  for (const file of watched) watchFile(file, { interval: LOOK_EVERY_MS, persistent: false }, look);
  return () => {
    for (const file of watched) unwatchFile(file, look);
  };
}
