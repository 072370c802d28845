import { setTimeout as pause } from "node:timers/promises";
import { openLoop } from "../../../e2e/src/harness/open-loop.ts";
import type { Metric } from "../benchmark.ts";
import { ask, type ScoringAddress } from "../servers/contender.ts";
import { ensureDebianPackages } from "./checkout-scripts.ts";
import { closedLoop } from "./closed-loop.ts";
import { percentile } from "./statistics.ts";

/** Of the open loop. */
export const PER_SECOND = 200;
const WARM_UP_SECONDS = 1;

export const LOOP_METRICS: readonly Metric[] = [
  { title: "requests/s", decimals: 0 },
  { title: "p50 ms", decimals: 1 },
  { title: "p99 ms", decimals: 1 },
  { title: "failed", decimals: 0 },
  { title: `${PER_SECOND}/s p50 ms`, decimals: 1 },
  { title: `${PER_SECOND}/s p99 ms`, decimals: 1 },
  { title: `${PER_SECOND}/s failed`, decimals: 0 },
];

/** @throws if a program of the measurement is missing and cannot be installed */
export function requirePrograms(): void {
  const missing = ensureDebianPackages([
    { name: "wrk", program: "wrk", why: "it makes the load" },
    { name: "util-linux", program: "taskset", why: "it keeps load and servers on cores of their own" },
  ]);
  if (missing.length > 0) throw new Error(`Not installed: ${missing.join(", ")}.`);
}

/** How many requests a server answers, and how late it is at a rate that it can hold. */
export async function bothLoops(address: ScoringAddress, seconds: number): Promise<Record<string, number>> {
  return { ...(await closed(address, seconds)), ...(await open(address, seconds)) };
}

async function closed(address: ScoringAddress, seconds: number) {
  // Caches fill and code is compiled before anything counts.
  await closedLoop(address, WARM_UP_SECONDS);
  const { requests, failed, seconds: taken, p50Ms, p99Ms } = await closedLoop(address, seconds);
  return { "requests/s": requests / taken, "p50 ms": p50Ms, "p99 ms": p99Ms, failed };
}

async function open(address: ScoringAddress, seconds: number) {
  const load = openLoop(() => ask(address).then(() => {}), PER_SECOND);
  await pause(seconds * 1000);
  const { latenciesMs, failures } = await load.stop();
  const values = { [`${PER_SECOND}/s failed`]: failures.length };
  if (latenciesMs.length === 0) return values;
  return {
    ...values,
    [`${PER_SECOND}/s p50 ms`]: percentile(latenciesMs, 50),
    [`${PER_SECOND}/s p99 ms`]: percentile(latenciesMs, 99),
  };
}
