import type { Benchmark } from "./benchmark.ts";
import { ensureDebianPackages } from "./measure/checkout-scripts.ts";
import { closedLoop } from "./measure/closed-loop.ts";
import { pinSelf, twoCores } from "./measure/cores.ts";
import { type FixedRateLoad, sendAtFixedRate } from "./measure/fixed-rate.ts";
import { collectRounds, type Measured } from "./measure/rounds.ts";
import { percentile } from "./measure/statistics.ts";
import { type NoOpServices, startNoOpServices } from "./servers/no-op-services.ts";

const PER_SECOND = 5_000;
const CONNECTIONS = 64;
const DIRECT = "no gateway";

/** Those without a gateway come first in each round: the others are compared with them. */
const ways: readonly (readonly [string, keyof NoOpServices])[] = [
  [DIRECT, "direct"],
  ["bare Node reverse proxy", "proxy"],
  ["gateway, with TLS and key", "gateway"],
  ["gateway without TLS, with key", "plainGateway"],
];

export const gateway: Benchmark = {
  name: "gateway",
  compares: "What the gateway adds to a request at 5,000 requests/s, beside a bare Node reverse proxy and no gateway.",
  help: `A scorer that does nothing answers by HTTP (no gateway, and behind a reverse proxy of bare node:http) and by frames (behind the
gateway). All servers are pinned to one core, which the way to the scorer shares with the scorer; the load comes from the other one. Open
loop: ${PER_SECOND} requests/s over ${CONNECTIONS} connections whether or not earlier ones were answered, each latency from the moment when the request was due;
the generator is a program in C that spins, and "sent late" tells how precise it was. Added: less the figure of no gateway in the same
round. Closed loop: wrk with ${CONNECTIONS} connections, the highest rate. The gateway always speaks TLS; its code behind plain HTTP is measured to
tell what that costs.

5 rounds of 5 s open and 3 s closed loop, about 4 minutes. --quick: 1 round of 1 s each, about 20 seconds.`,
  metrics: [
    { title: "added mean ms", decimals: 3 },
    { title: "mean ms", decimals: 3 },
    { title: "p50 ms", decimals: 3 },
    { title: "p99 ms", decimals: 2 },
    { title: "added p99 ms", decimals: 2 },
    { title: "failed", decimals: 0 },
    { title: "sent late p99 ms", decimals: 3 },
    { title: "highest requests/s", decimals: 0 },
    { title: "closed failed", decimals: 0 },
  ],
  async run(context) {
    const missing = ensureDebianPackages([
      { name: "wrk", program: "wrk", why: "it makes the load of the closed loop" },
      { name: "util-linux", program: "taskset", why: "it keeps load and servers on cores of their own" },
    ]);
    if (missing.length > 0) throw new Error(`Not installed: ${missing.join(", ")}.`);
    const [rounds, openSeconds, closedSeconds] = context.quick ? [1, 1, 1] : [5, 5, 3];
    const cores = twoCores();
    context.resources.defer(() => pinSelf(cores.all));
    pinSelf(cores.server);
    const services = await startNoOpServices(context);
    pinSelf(cores.load);
    const rate = { perSecond: PER_SECOND, connections: CONNECTIONS };

    const lines = await collectRounds(context, rounds, async function* (): AsyncIterable<Measured> {
      let direct = { "mean ms": 0, "p99 ms": 0 };
      for (const [name, way] of ways) {
        const address = services[way];
        await sendAtFixedRate(address, { ...rate, seconds: 1 });
        const open = summary(await sendAtFixedRate(address, { ...rate, seconds: openSeconds }));
        if (name === DIRECT) direct = open;
        const { requests, seconds, failed } = await closedLoop(address, closedSeconds, CONNECTIONS);
        const added = {
          "added mean ms": open["mean ms"] - direct["mean ms"],
          "added p99 ms": open["p99 ms"] - direct["p99 ms"],
        };
        const closed = { "highest requests/s": requests / seconds, "closed failed": failed };
        yield { name, values: { ...open, ...(name !== DIRECT && added), ...closed } };
      }
    });
    return { lines, facts: { "server core": cores.server, "load core": cores.load } };
  },
};

function summary({ sent }: FixedRateLoad) {
  const latencies = sent.filter(({ status }) => status === 200).map(({ latencyMs }) => latencyMs);
  return {
    "mean ms": latencies.reduce((sum, ms) => sum + ms, 0) / latencies.length,
    "p50 ms": percentile(latencies, 50),
    "p99 ms": percentile(latencies, 99),
    failed: sent.length - latencies.length,
    "sent late p99 ms": percentile(
      sent.map(({ lateMs }) => lateMs),
      99,
    ),
  };
}
