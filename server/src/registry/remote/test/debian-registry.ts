import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

export interface DebianRegistry {
  /** `localhost:PORT` */
  readonly host: string;
  /** PEM of its own authority; undefined without TLS */
  readonly ca: string | undefined;
  readonly caFile: string;
  readonly folder: string;
  readonly credentials: { readonly username: string; readonly password: string };
  /** Stops it at once, as a crash does. */
  kill(): Promise<void>;
  /** Starts it again at the same address, with everything that it had. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

/** `secret`, by bcrypt: the only kind that this registry takes. */
const HTPASSWD = "ada:$2b$04$PwVVfw2ONpuBEEfvDjYIvuPXeFPmCJHWu/QeHKzoR20o21GJS3jx2\n";

/** Debian's docker-registry with TLS and a user `ada`, password `secret`. */
export async function startDebianRegistry(options: { readonly tls: boolean }): Promise<DebianRegistry> {
  const folder = await mkdtemp(join(tmpdir(), "slipway-registry-"));
  const at = (name: string) => join(folder, name);
  await mkdir(at("data"));
  await writeFile(at("htpasswd"), HTPASSWD);
  const names = "subjectAltName=DNS:localhost,IP:127.0.0.1";
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", at("key.pem")];
  execFileSync(
    "openssl",
    ["req", "-x509", ...key, "-out", at("cert.pem"), "-days", "2", "-subj", "/CN=localhost", "-addext", names],
    { stdio: "ignore" },
  );
  let port = 0;
  let child: ChildProcess | undefined;

  async function start(): Promise<void> {
    await writeFile(
      at("config.yml"),
      JSON.stringify({
        version: 0.1,
        storage: { filesystem: { rootdirectory: at("data") }, delete: { enabled: true } },
        http: {
          addr: `127.0.0.1:${port}`,
          secret: "the same after a restart",
          ...(options.tls ? { tls: { certificate: at("cert.pem"), key: at("key.pem") } } : {}),
        },
        auth: { htpasswd: { realm: "test", path: at("htpasswd") } },
      }),
    );
    const started = spawn("docker-registry", ["serve", at("config.yml")], { stdio: ["ignore", "pipe", "pipe"] });
    child = started;
    port = await new Promise<number>((resolve, reject) => {
      started.on("error", reject);
      started.on("exit", () => reject(new Error("docker-registry ended.")));
      for (const stream of [started.stdout, started.stderr]) {
        createInterface({ input: stream }).on("line", (line) => {
          const found = /listening on 127\.0\.0\.1:(\d+)/.exec(line)?.[1];
          if (found !== undefined) resolve(Number(found));
        });
      }
    });
  }

  async function kill(): Promise<void> {
    const running = child;
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
    const ended = new Promise((resolve) => running.once("exit", resolve));
    running.kill("SIGKILL");
    await ended;
  }

  await start();
  return {
    host: `localhost:${port}`,
    ca: options.tls ? await readFile(at("cert.pem"), "utf8") : undefined,
    caFile: at("cert.pem"),
    folder,
    credentials: { username: "ada", password: "secret" },
    kill,
    restart: start,
    async close() {
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
