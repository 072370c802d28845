import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buildImage, sdk, trusting } from "../../e2e/src/harness/sdk.ts";
import type { Benchmark, Context } from "./benchmark.ts";
import { ensureDebianPackages } from "./measure/checkout-scripts.ts";
import { closedLoop } from "./measure/closed-loop.ts";
import { pinSelf, twoCores } from "./measure/cores.ts";
import { type FixedRateLoad, type Sent, sendAtFixedRate } from "./measure/fixed-rate.ts";
import { collectRounds, type Measured } from "./measure/rounds.ts";
import { startSlipway } from "./measure/started-slipway.ts";
import { percentile } from "./measure/statistics.ts";
import { AZUREML_SERVER, azuremlServer } from "./servers/azureml-server.ts";
import { ask, type ScoringAddress } from "./servers/contender.ts";
import { type Started, startContenders } from "./servers/start-contenders.ts";

const WORK_MS = 20;
const TIMES = 5;
const SHORT_WAIT_MS = 500;
/** More than its queue holds. */
const CONNECTIONS = 2_000;
/** It does not look at connections beyond a thousand. */
const PEER_CONNECTIONS = 500;
const PATIENCE_SECONDS = 2;
const ANSWER = [WORK_MS];
/** Of processor time, so that a server that takes some of it cannot hide that. */
const REFUSALS: readonly string[] = ["QueueFull", "QueueWaitOver"];
const SCRIPT = `import time

def init():
    pass

def run(data):
    end = time.thread_time() + ${WORK_MS / 1000}
    while time.thread_time() < end:
        pass
    return ${JSON.stringify(ANSWER)}
`;

export const overload: Benchmark = {
  name: "overload",
  compares: `What is left of a server at ${TIMES} times the load that it can bear, with a model that computes for ${WORK_MS} ms.`,
  help: `Capacity is what wrk gets with 4 connections. Then requests come at ${TIMES} times that rate whether or not earlier ones were answered, each
latency from the moment when the request was due, over connections that are open before (${CONNECTIONS}; ${PEER_CONNECTIONS} to the other server, which does
not look at more than a thousand). Goodput: answers of the model per second while the
load lasts, in percent of the capacity in the same round; what was not answered ${PATIENCE_SECONDS} s after its end is given up. Servers are pinned to one core with
one worker; the load comes from the other one. The other server starts anew each round, as it goes on with what nobody waits for any more.
One service refuses requests that waited ${SHORT_WAIT_MS} ms, one has the settings that a container instance has if nothing is said: a request may
wait a minute, and the queue is full at 1,600. Latencies of refusals are without the time in which another program had the load's core; its longest
stall says how long that was.

3 rounds of 15 s each, about 4 minutes. --quick: 1 round of 4 s each, about 40 seconds.`,
  metrics: [
    { title: "goodput %", decimals: 1 },
    { title: "answered in 1 s %", decimals: 1 },
    { title: "capacity /s", decimals: 1 },
    { title: "answered p50 ms", decimals: 0 },
    { title: "queue full", decimals: 0 },
    { title: "queue full p99 ms", decimals: 1 },
    { title: "waited in vain", decimals: 0 },
    { title: "waited in vain p99 ms", decimals: 0 },
    { title: "unanswered", decimals: 0 },
    { title: "other failures", decimals: 0 },
    { title: "load's longest stall ms", decimals: 1 },
  ],
  base: AZUREML_SERVER,
  async run(context) {
    const programs = ensureDebianPackages([
      { name: "wrk", program: "wrk", why: "it measures the capacity" },
      { name: "util-linux", program: "taskset", why: "it keeps load and servers on cores of their own" },
    ]);
    if (programs.length > 0) throw new Error(`Not installed: ${programs.join(", ")}.`);
    const [rounds, seconds, capacitySeconds] = context.quick ? [1, 4, 2] : [3, 15, 3];
    const cores = twoCores();
    context.resources.defer(() => pinSelf(cores.all));
    pinSelf(cores.server);
    const slipway = await startServices(context);
    const missing: string[] = [];

    const lines = await collectRounds(context, rounds, async function* (): AsyncIterable<Measured> {
      await using resources = new AsyncDisposableStack();
      pinSelf(cores.server);
      const peer = await startPeer({ ...context, resources });
      pinSelf(cores.load);
      missing.push(...peer.missing);
      for (const { name, address } of [...slipway, ...peer.started]) {
        const connections = name === AZUREML_SERVER ? PEER_CONNECTIONS : CONNECTIONS;
        await ask(address);
        const { requests, seconds: taken } = await closedLoop(address, capacitySeconds, 4);
        const capacity = requests / taken;
        const perSecond = TIMES * capacity;
        const load = { perSecond, seconds, connections, patienceSeconds: PATIENCE_SECONDS };
        yield { name, values: summary(await sendAtFixedRate(address, load), perSecond, seconds, capacity) };
      }
    });
    const facts = { "server core": cores.server, "load core": cores.load, work: `${WORK_MS} ms of processor time` };
    return { lines, facts, missing: [...new Set(missing)] };
  },
};

async function startServices(context: Context): Promise<readonly Started[]> {
  const slipway = await startSlipway(context);
  const client = await sdk(slipway);
  const imageId = await buildImage(client, "busy", SCRIPT);
  const start = async (name: string, maxQueueWaitMs?: number): Promise<ScoringAddress> => {
    const settings = { name, imageId, cpu: 1, memoryInGB: 1, authEnabled: true, maxQueueWaitMs };
    await client.operations.wait((await client.services.create(settings)).operationId);
    const { primaryKey } = await client.services.keys(name);
    const { scoringUri } = await client.services.get(name);
    const fetch = await trusting(slipway);
    return { url: scoringUri ?? "", body: "{}", authorization: `Bearer ${primaryKey}`, fetch };
  };
  return [
    { name: `Slipway, waits ${SHORT_WAIT_MS} ms`, address: await start("short-wait", SHORT_WAIT_MS) },
    { name: "Slipway, waits a minute", address: await start("long-wait") },
  ];
}

async function startPeer(context: Context) {
  const script = join(context.folder, "busy.py");
  const file = join(context.folder, "no-model");
  await writeFile(script, SCRIPT);
  await writeFile(file, "");
  return startContenders(context, [azuremlServer([])], { file, rows: [], predictions: ANSWER }, script);
}

function summary({ sent, longestStallMs }: FixedRateLoad, perSecond: number, seconds: number, capacity: number) {
  const answered = sent.filter(({ status }) => status === 200);
  // The request was due at its number divided by the rate.
  const inTime = sent.filter(({ status, latencyMs }, index) => {
    return status === 200 && index / perSecond + latencyMs / 1000 <= seconds;
  });
  const ofCapacity = (some: readonly Sent[]) => (100 * some.length) / seconds / capacity;
  const [full, inVain] = REFUSALS.map((wanted) => sent.filter(({ code }) => code === wanted));
  return {
    "goodput %": ofCapacity(inTime),
    "answered in 1 s %": ofCapacity(inTime.filter(({ latencyMs }) => latencyMs <= 1000)),
    "capacity /s": capacity,
    ...(answered.length > 0 && {
      "answered p50 ms": percentile(
        answered.map(({ latencyMs }) => latencyMs),
        50,
      ),
    }),
    "queue full": full?.length ?? 0,
    ...refusalLatency("queue full p99 ms", full),
    "waited in vain": inVain?.length ?? 0,
    ...refusalLatency("waited in vain p99 ms", inVain),
    unanswered: sent.filter(({ status }) => status === 0).length,
    "load's longest stall ms": longestStallMs,
    "other failures": sent.filter(({ status, code }) => status !== 0 && status !== 200 && !REFUSALS.includes(code))
      .length,
  };
}

/** There is always a connection to send on: what left late did so because the generator stalled. */
function refusalLatency(title: string, sent: readonly Sent[] = []): Record<string, number> {
  if (sent.length === 0) return {};
  const latencies = sent.map(({ latencyMs, lateMs, stalledMs }) => latencyMs - lateMs - stalledMs);
  return { [title]: percentile(latencies, 99) };
}
