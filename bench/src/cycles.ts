import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { buildImage, sdk, versionScript } from "../../e2e/src/harness/sdk.ts";
import type { Benchmark, Line } from "./benchmark.ts";
import { startSlipway } from "./measure/started-slipway.ts";

const SERVICE = "again";

export const cycles: Benchmark = {
  name: "cycles",
  compares: "Memory, descriptors and folders of a Slipway that deploys, asks and deletes a service a thousand times.",
  help: `One service is deployed from a built image, asked once and deleted, again and again. What is left is looked at after every hundredth time:
the resident memory and the open descriptors of control plane and gateway, and the entries of the folder of replicas. The cores of the
machine are shared by all of them. Nothing here is compared with another server.

1,000 times, about 15 minutes. --quick: 20 times, about 20 seconds.`,
  metrics: [
    { title: "seconds each", decimals: 2 },
    { title: "control plane MiB", decimals: 0 },
    { title: "control plane descriptors", decimals: 0 },
    { title: "gateway MiB", decimals: 0 },
    { title: "gateway descriptors", decimals: 0 },
    { title: "run folders", decimals: 0 },
  ],
  async run(context) {
    const [count, each] = context.quick ? [20, 10] : [1_000, 100];
    const slipway = await startSlipway(context);
    const client = await sdk(slipway);
    const imageId = await buildImage(client, SERVICE, versionScript(1));
    const controlPlane = (await slipway.health()).pid;
    const gateway = await slipway.gatewayPid();

    async function cycle(): Promise<void> {
      const { operationId } = await client.services.create({ name: SERVICE, imageId, cpu: 0.5, memoryInGB: 0.5 });
      await client.operations.wait(operationId);
      await client.services.score(SERVICE, {});
      const deletion = await client.services.delete(SERVICE);
      await client.operations.wait(deletion?.operationId ?? "");
    }

    async function left(name: string, secondsEach?: number): Promise<Line> {
      const [ofControlPlane, ofGateway] = await Promise.all([useOf(controlPlane), useOf(gateway)]);
      const folders = await readdir(join(slipway.dataFolder, "run"));
      const values: Record<string, readonly number[]> = {
        ...(secondsEach !== undefined && { "seconds each": [secondsEach] }),
        "control plane MiB": [ofControlPlane.mebibytes],
        "control plane descriptors": [ofControlPlane.descriptors],
        "gateway MiB": [ofGateway.mebibytes],
        "gateway descriptors": [ofGateway.descriptors],
        "run folders": [folders.length],
      };
      const figures = Object.entries(values).map(([title, [value = 0]]) => `${title} ${+value.toFixed(2)}`);
      context.say(`${name}: ${figures.join(", ")}`);
      return { name, values };
    }

    // The first one makes the folder, and loads what is loaded when it is needed.
    await cycle();
    const lines = [await left("after the first")];
    for (let done = each; done <= count; done += each) {
      const began = performance.now();
      for (let n = 0; n < each; n += 1) await cycle();
      lines.push(await left(`after ${done}`, (performance.now() - began) / 1000 / each));
    }
    const survived = (await slipway.health()).pid === controlPlane && (await slipway.gatewayPid()) === gateway;
    if (!survived) throw new Error("A process was started anew on the way: its memory tells nothing.");
    return { lines, facts: { cycles: count } };
  },
};

async function useOf(pid: number) {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return {
    mebibytes: Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024,
    descriptors: (await readdir(`/proc/${pid}/fd`)).length,
  };
}
