import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { SlipwayClient } from "@slipway/client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Installation, startInstallation } from "./harness/installation.ts";
import { buildImage, sdk, versionScript } from "./harness/sdk.ts";

/** Deploying and deleting again and again leaves nothing behind: no memory, no descriptors, no folders, no processes. */
let slipway: Installation;
let client: SlipwayClient;
let imageId: string;

beforeAll(async () => {
  slipway = await startInstallation();
  client = await sdk(slipway);
  imageId = await buildImage(client, "cycles", versionScript(1));
});
afterAll(() => slipway?.dispose());

const WARM_UP = 15;
const CYCLES = 50;
const MOST_ROUNDS = 3;
/** Half a megabyte a cycle would be a leak; the heap breathes by less than this. */
const MOST_MEGABYTES = 25;
const PROCESSES = ["controlPlane", "gateway"] as const;

async function cycle(): Promise<void> {
  const { operationId } = await client.services.create({ name: "again", imageId, cpu: 0.5, memoryInGB: 0.5 });
  await client.operations.wait(operationId);
  expect(await client.services.score("again", {})).toEqual({ version: 1 });
  const deletion = await client.services.delete("again");
  await client.operations.wait(deletion?.operationId ?? "");
}

interface Use {
  readonly megabytes: number;
  readonly descriptors: number;
}

async function use(pid: number): Promise<Use> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return {
    megabytes: Math.round(Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024),
    descriptors: (await readdir(`/proc/${pid}/fd`)).length,
  };
}

test(`memory and descriptors stay flat over ${CYCLES} deployments and deletions`, async () => {
  const controlPlane = (await slipway.health()).pid;
  const gateway = await slipway.gatewayPid();
  const used = async () => ({ controlPlane: await use(controlPlane), gateway: await use(gateway) });
  for (let n = 0; n < WARM_UP; n += 1) await cycle();
  // A heap may grow once when a machine has no time to collect it; what leaks grows each time.
  let before = await used();
  let after = before;
  for (let round = 1; round <= MOST_ROUNDS; round += 1) {
    for (let n = 0; n < CYCLES; n += 1) await cycle();
    [before, after] = [after, await used()];
    console.log(JSON.stringify({ before, after }));
    if (PROCESSES.every((name) => after[name].megabytes - before[name].megabytes < MOST_MEGABYTES)) break;
  }

  expect((await slipway.health()).pid).toBe(controlPlane);
  expect(await slipway.gatewayPid()).toBe(gateway);
  for (const name of PROCESSES) {
    expect(after[name].megabytes - before[name].megabytes).toBeLessThan(MOST_MEGABYTES);
    expect(after[name].descriptors - before[name].descriptors).toBeLessThan(8);
  }
  const left = await readdir(join(slipway.dataFolder, "run"));
  expect(left.filter((name) => !["retired", "compile-cache"].includes(name))).toEqual([]);
}, 1_200_000);
