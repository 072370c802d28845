import { execFileSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { freePort } from "../../../e2e/src/harness/installation.ts";
import type { Context } from "../benchmark.ts";
import { startServer } from "./contender.ts";

export interface DebianRegistry {
  /** `localhost:PORT` */
  readonly server: string;
  readonly version: string;
}

/**
 * Debian's docker-registry with its own settings, but for the folder, TLS and sign-in: it asks for no password, since checking one
 * (bcrypt) would cost it more than the work that is measured.
 *
 * @param tls certificate and key for localhost
 */
export async function startDebianRegistry(
  context: Context,
  tls: { readonly certificateFile: string; readonly keyFile: string; answers(url: string): Promise<boolean> },
): Promise<DebianRegistry> {
  const folder = join(context.folder, "docker-registry");
  await mkdir(folder);
  const port = await freePort();
  const config = {
    version: 0.1,
    log: { level: "error", accesslog: { disabled: true } },
    storage: {
      cache: { blobdescriptor: "inmemory" },
      filesystem: { rootdirectory: join(folder, "data") },
      delete: { enabled: true },
    },
    http: { addr: `127.0.0.1:${port}`, tls: { certificate: tls.certificateFile, key: tls.keyFile } },
  };
  const file = join(folder, "config.json");
  // JSON is YAML as well.
  await writeFile(file, JSON.stringify(config));
  await startServer({ context, folder }, ["docker-registry", "serve", file], () =>
    tls.answers(`https://localhost:${port}/v2/`),
  );
  const version = execFileSync("docker-registry", ["--version"], { encoding: "utf8" }).trim().split(" ").at(-1) ?? "";
  return { server: `localhost:${port}`, version };
}
