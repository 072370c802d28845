import { setTimeout as pause } from "node:timers/promises";
import { type OpenLoopResult, openLoop } from "../../e2e/src/harness/open-loop.ts";
import { buildImage, sdk, trusting } from "../../e2e/src/harness/sdk.ts";
import type { Benchmark } from "./benchmark.ts";
import { collectRounds, type Measured } from "./measure/rounds.ts";
import { startSlipway } from "./measure/started-slipway.ts";
import { percentile, summarize } from "./measure/statistics.ts";
import { ask } from "./servers/contender.ts";

const PER_SECOND = 200;
const WORK_SECONDS = 0.002;
const SERVICE = "steady";

export const updates: Benchmark = {
  name: "updates",
  compares: `The latency of a service under ${PER_SECOND} requests/s, alone and while it is updated again and again; failed requests are counted.`,
  help: `An open loop sends ${PER_SECOND} requests/s over TLS, whether or not earlier ones were answered; each latency counts from the moment when the
request was due. The service works ${WORK_SECONDS * 1000} ms for a request on two workers. Each round has a quiet part and one with updates to another
image, one after the other. Load generator, gateway, control plane and workers share the cores of the machine.

3 rounds of 10 s and 20 updates, about 2 minutes. --quick: 1 round of 2 s and 3 updates, about 10 seconds.`,
  metrics: [
    { title: "p99 ms", decimals: 1 },
    { title: "p50 ms", decimals: 1 },
    { title: "max ms", decimals: 1 },
    { title: "requests", decimals: 0 },
    { title: "failed", decimals: 0 },
    { title: "one update s", decimals: 2 },
  ],
  base: "quiet",
  async run(context) {
    const [rounds, quietMs, updateCount] = context.quick ? [1, 2_000, 3] : [3, 10_000, 20];
    const slipway = await startSlipway(context);
    const client = await sdk(slipway);
    const images = [
      await buildImage(client, "versions", scriptOf(1)),
      await buildImage(client, "versions", scriptOf(2)),
    ];
    const settings = { name: SERVICE, imageId: images[0] ?? "", cpu: 2, memoryInGB: 1 };
    await client.operations.wait((await client.services.create(settings)).operationId);
    const { scoringUri } = await client.services.get(SERVICE);
    const address = { url: scoringUri ?? "", body: "{}", fetch: await trusting(slipway) };
    const failures: string[] = [];

    let count = 0;
    async function update(): Promise<number> {
      count += 1;
      const began = performance.now();
      const started = await client.services.update(SERVICE, { imageId: images[count % 2] ?? "" });
      await client.operations.wait(started?.operationId ?? "");
      return (performance.now() - began) / 1000;
    }

    async function underLoad<T>(act: () => Promise<T>): Promise<[OpenLoopResult, T]> {
      const load = openLoop(() => ask(address).then(() => {}), PER_SECOND);
      try {
        const acted = await act();
        return [await load.stop(), acted];
      } finally {
        failures.push(...(await load.stop()).failures);
      }
    }

    const lines = await collectRounds(context, rounds, async function* (): AsyncIterable<Measured> {
      const [quiet] = await underLoad(() => pause(quietMs));
      yield { name: "quiet", values: latencies(quiet) };
      const [busy, seconds] = await underLoad(async () => {
        const each: number[] = [];
        while (each.length < updateCount) each.push(await update());
        return each;
      });
      yield { name: "while updated", values: { ...latencies(busy), "one update s": summarize(seconds).median } };
    });
    const reasons = [...new Set(failures)].slice(0, 5).join("; ");
    return { lines, facts: { updates: count, "failed requests": failures.length, ...(reasons !== "" && { reasons }) } };
  },
};

function scriptOf(version: number): string {
  return `import time\n\ndef run(data):\n    time.sleep(${WORK_SECONDS})\n    return ${version}\n`;
}

function latencies({ latenciesMs, sent, failures }: OpenLoopResult) {
  return {
    "p50 ms": percentile(latenciesMs, 50),
    "p99 ms": percentile(latenciesMs, 99),
    "max ms": percentile(latenciesMs, 100),
    requests: sent,
    failed: failures.length,
  };
}
