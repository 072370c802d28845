import { execFileSync } from "node:child_process";
import { hash } from "node:crypto";
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { Agent, request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { GatewayConfig, GatewayState, ReplicaRoute, ServiceRoute } from "@slipway/api";
import type { Patience } from "../edge.ts";
import { type Gateway, startGateway } from "../gateway.ts";
import { createLog } from "../log.ts";
import { type FramedScorer, type ScorerOptions, startFramedScorer } from "./framed-scorer.ts";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export interface CallOptions {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer;
  readonly signal?: AbortSignal;
}

export const SALT = "00ff10";
export const keyHash = (key: string) => ({
  salt: SALT,
  hash: hash("sha256", Buffer.concat([Buffer.from(SALT, "hex"), Buffer.from(key)]), "hex"),
});

/** A folder with a certificate, scripted scorers, and the gateway in front of them. */
export class GatewayFixture implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "gw-"));
  readonly logged: Record<string, unknown>[] = [];
  readonly #scorers: FramedScorer[] = [];
  #gateway: Gateway | undefined;
  #agent = new Agent({ keepAlive: true });
  #version = 0;

  constructor() {
    this.makeCertificate("first");
  }

  get config(): GatewayConfig {
    return {
      folder: this.folder,
      host: "127.0.0.1",
      port: 0,
      certificateFile: join(this.folder, "tls.pem"),
      keyFile: join(this.folder, "tls.key"),
      drainMs: 5000,
    };
  }

  makeCertificate(organization: string, env: Readonly<Record<string, string>> = {}): void {
    const { certificateFile, keyFile } = this.config;
    const made = join(this.folder, "made");
    const subject = [
      "-subj",
      `/O=${organization}/CN=localhost`,
      "-addext",
      "subjectAltName=DNS:localhost,IP:127.0.0.1",
    ];
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", `${made}.key`];
    execFileSync("openssl", ["req", "-x509", "-days", "2", ...subject, ...key, "-out", `${made}.pem`], {
      stdio: "pipe",
      env: { ...process.env, ...env },
    });
    renameSync(`${made}.key`, keyFile);
    renameSync(`${made}.pem`, certificateFile);
    this.#agent.destroy();
    this.#agent = new Agent({ keepAlive: true, ca: readFileSync(certificateFile) });
  }

  async scorer(
    id: string,
    onRequest?: ScorerOptions["onRequest"],
    more: Partial<ScorerOptions> = {},
  ): Promise<FramedScorer> {
    const socket = join(this.folder, `${id}.sock`);
    const scorer = await startFramedScorer({ id, socket, ...(onRequest === undefined ? {} : { onRequest }), ...more });
    this.#scorers.push(scorer);
    return scorer;
  }

  /** A route of service `name` without authentication; `more` overrides. */
  route(
    name: string,
    replicas: readonly { readonly replica: ReplicaRoute }[],
    more: Partial<ServiceRoute> = {},
  ): ServiceRoute {
    return {
      workspace: "default",
      name,
      basePath: `/api/v1/service/${name}`,
      revision: 1,
      auth: "none",
      keyHashes: [],
      open: false,
      scoringTimeoutMs: 5000,
      maxConcurrentRequests: 4,
      maxQueueWaitMs: 2000,
      maxBodyBytes: 100_000,
      replicas: replicas.map(({ replica }) => replica),
      ...more,
    };
  }

  writeRoutes(services: readonly ServiceRoute[], tokenKey: Record<string, unknown> = {}, version?: number): void {
    this.#version = version ?? this.#version + 1;
    this.writeRoutesText(JSON.stringify({ version: this.#version, tokenKey, services }));
  }

  writeRoutesText(text: string): void {
    writeFileSync(join(this.folder, "next.json"), text);
    renameSync(join(this.folder, "next.json"), join(this.folder, "routes.json"));
  }

  async start(overrides: Partial<GatewayConfig> = {}, patience?: Patience): Promise<Gateway> {
    const log = createLog((line) => this.logged.push(JSON.parse(line)));
    this.#gateway = await startGateway({ ...this.config, ...overrides }, log, { patience });
    return this.#gateway;
  }

  get port(): number {
    if (this.#gateway === undefined) throw new Error("The gateway has not been started.");
    return this.#gateway.port;
  }

  call(
    path: string,
    { method = "POST", headers = {}, body, signal }: CallOptions = {},
    port = this.port,
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const asked = request(
        {
          host: "localhost",
          port,
          path,
          method,
          headers,
          agent: this.#agent,
          ...(signal === undefined ? {} : { signal }),
        },
        (response) => {
          const parts: Buffer[] = [];
          response.on("data", (part: Buffer) => parts.push(part));
          response.on("error", reject);
          response.on("end", () => {
            const text = Buffer.concat(parts).toString();
            resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
          });
        },
      );
      asked.on("error", reject);
      asked.end(body);
    });
  }

  control(method: string, path: string): Promise<{ readonly status: number; readonly body: unknown }> {
    return new Promise((resolve, reject) => {
      const asked = httpRequest({ socketPath: join(this.folder, "control.sock"), method, path }, (response) => {
        const parts: Buffer[] = [];
        response.on("data", (part: Buffer) => parts.push(part));
        response.on("end", () => {
          const text = Buffer.concat(parts).toString();
          resolve({ status: response.statusCode ?? 0, body: text === "" ? undefined : JSON.parse(text) });
        });
      });
      asked.on("error", reject);
      asked.end();
    });
  }

  /** All replicas in the routes are connected. */
  connected(): Promise<void> {
    return eventually("replicas connected", async () => (await this.state()).unreachableReplicas.length === 0);
  }

  async state(): Promise<GatewayState> {
    return (await this.control("GET", "/state")).body as GatewayState;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#agent.destroy();
    await Promise.all(this.#scorers.map((scorer) => scorer.kill()));
    await this.#gateway?.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Waits until it holds; fails naming what was waited for. */
export async function eventually(
  what: string,
  holds: () => boolean | Promise<boolean>,
  withinMs = 30_000,
): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`Waited ${withinMs} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Code of a JSON refusal. */
export function codeOf({ text }: Answer): string {
  return JSON.parse(text).error.code;
}
