import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { ScoringAddress } from "../servers/contender.ts";

const script = fileURLToPath(new URL("../../wrk/score.lua", import.meta.url));

interface ClosedLoopResult {
  /** that were answered well */
  readonly requests: number;
  readonly failed: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** wrk with one thread: the next request of a connection leaves when its last one was answered. */
export async function closedLoop(
  address: ScoringAddress,
  seconds: number,
  connections = 16,
): Promise<ClosedLoopResult> {
  const { url, body, authorization = "" } = address;
  const options = ["-t1", `-c${connections}`, `-d${seconds}s`, "-s", script];
  const env = { ...process.env, BODY: body, AUTHORIZATION: authorization };
  const { stdout } = await promisify(execFile)("wrk", [...options, url], { env });
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as ClosedLoopResult;
}
