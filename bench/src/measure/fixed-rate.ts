import { execFile, spawn } from "node:child_process";
import { hash } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { ScoringAddress } from "../servers/contender.ts";
import { ensureDebianPackages } from "./checkout-scripts.ts";
import { cacheFolder } from "./python-environment.ts";

const source = fileURLToPath(new URL("../../load/open-loop.c", import.meta.url));

export interface FixedRate {
  readonly perSecond: number;
  readonly seconds: number;
  /** open before the first request; a request that finds all of them at work waits for one, and that counts */
  readonly connections: number;
  /** how long the last ones are waited for; a minute if not given */
  readonly patienceSeconds?: number;
}

export interface Sent {
  /** 0 when no answer came */
  readonly status: number;
  /** the error's word in an answer that is no 200 */
  readonly code: string;
  /** from the moment when it was due until it left */
  readonly lateMs: number;
  /** from the moment when it was due until it was answered */
  readonly latencyMs: number;
  /** of the time since it left: when the generator did not come to look, as another program had its core */
  readonly stalledMs: number;
}

export interface FixedRateLoad {
  readonly sent: readonly Sent[];
  /** the longest time in which the generator did not come to look */
  readonly longestStallMs: number;
}

/**
 * Requests at a fixed rate from a process of its own, whether or not earlier ones were answered. It is a program in C: Node's own
 * pauses would be most of what is measured at thousands a second.
 */
export async function sendAtFixedRate(address: ScoringAddress, rate: FixedRate): Promise<FixedRateLoad> {
  const { protocol, port } = new URL(address.url);
  const { perSecond, seconds, connections, patienceSeconds = 60 } = rate;
  const transport = protocol === "https:" ? "tls" : "plain";
  const figures = [perSecond, seconds, patienceSeconds, connections].map(String);
  const child = spawn(await program(), ["127.0.0.1", port, ...figures, transport], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  child.stdin.end(requestText(address));
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, "exit")]);
  if (code !== 0) throw new Error(`The load generator ended with ${code}.`);
  const lines = output.trimEnd().split("\n");
  const longestStallMs = Number(lines.pop()) / 1000;
  return { sent: lines.map(sentOf), longestStallMs };
}

function requestText({ url, body, authorization }: ScoringAddress): string {
  const { pathname, host } = new URL(url);
  const head = [
    `POST ${pathname} HTTP/1.1`,
    `host: ${host}`,
    "content-type: application/json",
    `content-length: ${Buffer.byteLength(body)}`,
    ...(authorization === undefined ? [] : [`authorization: ${authorization}`]),
  ];
  return `${head.join("\r\n")}\r\n\r\n${body}`;
}

function sentOf(line: string): Sent {
  const [status, late, latency, stalled, code = ""] = line.split(" ");
  return {
    status: Number(status),
    code,
    lateMs: Number(late) / 1000,
    latencyMs: Number(latency) / 1000,
    stalledMs: Number(stalled) / 1000,
  };
}

/** Compiled once, again when its source is newer. @throws if no compiler can be had */
async function program(): Promise<string> {
  const missing = ensureDebianPackages([
    { name: "gcc", program: "gcc", why: "it compiles the load generator" },
    { name: "libssl-dev", program: "/usr/include/openssl/ssl.h", why: "the load generator speaks TLS" },
    { name: "libc6-dev", program: "/usr/include/stdio.h", why: "the load generator is a C program" },
  ]);
  if (missing.length > 0) throw new Error(`Not installed: ${missing.join(", ")}.`);
  const folder = join(cacheFolder(), "bench");
  const compiled = join(folder, `open-loop-${hash("sha256", await readFile(source), "hex").slice(0, 16)}`);
  if (existsSync(compiled)) return compiled;
  await mkdir(folder, { recursive: true });
  const fresh = `${compiled}.${process.pid}`;
  await promisify(execFile)("gcc", ["-O2", "-o", fresh, source, "-lssl", "-lcrypto"]);
  await rename(fresh, compiled);
  return compiled;
}
