import { createHash } from "node:crypto";
import { access, mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { writeFileAtomically } from "../platform/atomic-file.ts";
import type { SecretBox } from "../secret/index.ts";
import type { StoredCertificate } from "./service-store.ts";

/** Certificates as the gateway finds them: one file each, named by its content, so that none ever changes. */
export interface CertificateFiles {
  /** Writes those that are missing. @returns the names of the files by service id */
  write(certificates: readonly StoredCertificate[]): Promise<ReadonlyMap<string, string>>;
  /** Removes what the routes in force do not name any more. */
  tidy(): Promise<void>;
}

export function createCertificateFiles(folder: string, secrets: SecretBox): CertificateFiles {
  let named: ReadonlySet<string> = new Set();
  return {
    async write(certificates) {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const names = new Map(certificates.map((stored) => [stored.serviceId, nameOf(stored)]));
      named = new Set(names.values());
      for (const { serviceId, certificate, sealedKey } of certificates) {
        const file = join(folder, names.get(serviceId) ?? "");
        if (await isThere(file)) continue;
        await writeFileAtomically(file, `${secrets.open(sealedKey).trim()}\n${certificate}`, 0o600);
      }
      return names;
    },
    async tidy() {
      for (const name of await readdir(folder).catch(() => [])) {
        if (name.endsWith(".pem") && !named.has(name)) await rm(join(folder, name), { force: true });
      }
    },
  };
}

/** A sealed key reads differently each time it is sealed: another one is another file. */
function nameOf({ certificate, sealedKey }: StoredCertificate): string {
  return `${createHash("sha256").update(certificate).update(sealedKey).digest("hex").slice(0, 32)}.pem`;
}

async function isThere(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
