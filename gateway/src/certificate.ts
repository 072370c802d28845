import { unwatchFile, watchFile } from "node:fs";
import { readFile } from "node:fs/promises";
import type { Http2SecureServer } from "node:http2";
import { createSecureContext } from "node:tls";
import type { Log } from "./log.ts";

/** Renewal has days of time, and `PUT /certificate` is there for those who cannot wait. */
const LOOK_EVERY_MS = 5000;

export interface CertificateFiles {
  readonly certificateFile: string;
  readonly keyFile: string;
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
 * Puts the pair of the files in force: new handshakes get it, open connections stay as they are.
 *
 * @throws as {@link readCertificate}; then the old pair stays in force
 */
export async function swapCertificate(server: Http2SecureServer, files: CertificateFiles): Promise<void> {
  server.setSecureContext(await readCertificate(files));
}

/** Looks at the files (polling: they are replaced by renaming, which a watch on the old inode does not see). */
export function watchCertificate(server: Http2SecureServer, files: CertificateFiles, log: Log): () => void {
  const look = () => {
    swapCertificate(server, files).then(
      () => log.info("certificate in force", { file: files.certificateFile }),
      (error: unknown) => log.warn("certificate unusable, the old one stays", { cause: String(error) }),
    );
  };
  const names = [files.certificateFile, files.keyFile];
  for (const name of names) watchFile(name, { interval: LOOK_EVERY_MS, persistent: false }, look);
  return () => {
    for (const name of names) unwatchFile(name, look);
  };
}
