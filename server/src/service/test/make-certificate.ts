import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A certificate that vouches for itself, and its key; by openssl, as people make them. */
export function makeCertificate(
  host: string,
  password?: string,
): { readonly certificate: string; readonly key: string } {
  const folder = mkdtempSync(join(tmpdir(), "slipway-cert-"));
  const [key, certificate] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const subject = ["-subj", `/CN=${host}`, "-addext", `subjectAltName=DNS:${host}`];
  const protection = password === undefined ? ["-nodes"] : ["-passout", `pass:${password}`];
  const keys = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-keyout", key, ...protection];
  try {
    execFileSync("openssl", ["req", "-x509", "-days", "90", ...subject, ...keys, "-out", certificate], {
      stdio: "pipe",
    });
    return { certificate: readFileSync(certificate, "utf8"), key: readFileSync(key, "utf8") };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
