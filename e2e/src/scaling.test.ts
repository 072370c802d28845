import { readdir, readFile } from "node:fs/promises";
import type { SlipwayClient } from "@slipway/client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, type Installation, startInstallation } from "./harness/installation.ts";
import { openLoop } from "./harness/open-loop.ts";
import { buildImage, sdk, trusting } from "./harness/sdk.ts";

/** Replicas follow the load on one machine, down to none; whoever asks a service that sleeps is answered, whatever else is dead. */
let slipway: Installation;
let client: SlipwayClient;

/** Answers after some work, with a name that no other process has. */
const script = (seconds: number) => `import time, uuid

NAME = uuid.uuid4().hex

def init():
    pass

def run(data):
    time.sleep(${seconds})
    return NAME
`;

beforeAll(async () => {
  slipway = await startInstallation();
  client = await sdk(slipway);
});
afterAll(() => slipway?.dispose());

async function deploy(name: string, source: string, scaling: object) {
  const imageId = await buildImage(client, name, source);
  const settings = { name, imageId, cpu: 1, memoryInGB: 0.2, scaling };
  await client.operations.wait((await client.services.create(settings)).operationId);
  return client.services.get(name);
}

async function untilReplicas(name: string, wanted: number): Promise<void> {
  const now = async () => (await client.services.get(name)).numReplicas;
  await eventually(async () => ((await now()) === wanted ? true : undefined));
}

/** None wanted, the last process has ended, and the operation that ended it, too: killed before, it would go on and end what woke since. */
async function untilAsleep(name: string): Promise<void> {
  await untilReplicas(name, 0);
  const open = async () => (await client.operations.list()).filter(({ endTime }) => endTime === null);
  await eventually(async () => ((await open()).length === 0 ? true : undefined));
  await eventually(async () => ((await scorers()) === 0 ? true : undefined));
}

/** Asks on until the control plane knows what woke: left alone, it would sleep again before anybody has seen it. */
async function untilAwake(name: string, url: string): Promise<Set<string>> {
  const names = new Set<string>();
  await eventually(async () => {
    for (const answered of await burst(url)) names.add(answered);
    return (await client.services.get(name)).numReplicas ? true : undefined;
  });
  return names;
}

/** Scorers of this installation, known to it or not. */
async function scorers(): Promise<number> {
  const pids = (await readdir("/proc")).filter((pid) => /^\d+$/.test(pid));
  const commands = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")));
  return commands.filter((command) => command.split("\0").at(-2)?.startsWith(`${slipway.dataFolder}/run/`)).length;
}

/** 30 requests at once; all must be answered. @returns the names of the processes that answered */
async function burst(url: string): Promise<Set<string>> {
  const fetch = await trusting(slipway);
  const answers = await Promise.all(
    Array.from({ length: 30 }, async () => {
      const response = await fetch(url, {
        method: "POST",
        body: "{}",
        headers: { "content-type": "application/json" },
      });
      return { status: response.status, text: await response.text() };
    }),
  );
  expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
  return new Set(answers.map(({ text }) => text));
}

test("load brings replicas without a failed request", async () => {
  const { scoringUri } = await deploy("grows", script(0.05), { minReplicas: 1, maxReplicas: 3 });
  await untilReplicas("grows", 1);
  const fetch = await trusting(slipway);
  const load = openLoop(async () => {
    const response = await fetch(scoringUri, { method: "POST", body: "{}" });
    if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
  }, 40);
  await untilReplicas("grows", 3);
  await eventually(async () => ((await scorers()) === 3 ? true : undefined));
  const { failures, sent } = await load.stop();
  expect(failures).toEqual([]);
  expect(sent).toBeGreaterThan(40);
  const names = new Set<string>();
  await eventually(async () => {
    for (const name of await burst(scoringUri)) names.add(name);
    return names.size === 3 ? true : undefined;
  });
  await client.operations.wait((await client.services.delete("grows"))?.operationId ?? "");
});

test("a service that nobody asks sleeps and wakes at the next request, again and again", async () => {
  const { scoringUri } = await deploy("sleepy", script(0), { minReplicas: 0, maxReplicas: 1, idleSeconds: 2 });
  const seen = new Set<string>();
  for (let round = 1; round <= 3; round += 1) {
    await untilAsleep("sleepy");
    expect((await client.services.get("sleepy")).state).toBe("Healthy");
    const names = await untilAwake("sleepy", scoringUri);
    expect(names.size).toBe(1);
    for (const name of names) seen.add(name);
  }
  expect(seen.size).toBe(3);
});

test("it wakes with nothing alive but the gateway, and what woke is adopted", async () => {
  const { scoringUri } = await client.services.get("sleepy");
  await untilAsleep("sleepy");
  await slipway.killAllButServing();

  const woken = await burst(scoringUri);
  expect(woken.size).toBe(1);
  const fetch = await trusting(slipway);
  const kept = openLoop(async () => {
    const answer = await (await fetch(scoringUri, { method: "POST", body: "{}" })).text();
    if (!woken.has(answer)) throw new Error(answer);
  }, 5);
  await slipway.start();

  await untilReplicas("sleepy", 1);
  expect(await scorers()).toBe(1);
  expect((await kept.stop()).failures).toEqual([]);
});

test("a control plane that is killed while services fall asleep and wake loses no request", async () => {
  const { scoringUri } = await client.services.get("sleepy");
  for (const ms of [0, 50, 200, 500]) {
    // In the middle of the operation that puts it to sleep.
    await untilReplicas("sleepy", 0);
    const { startedAt } = await slipway.health();
    const answered = burst(scoringUri);
    await new Promise((resolve) => setTimeout(resolve, ms));
    await slipway.killControlPlane();
    await answered;
    await burst(scoringUri);
    await eventually(async () => ((await slipway.health()).startedAt === startedAt ? undefined : true));
  }
});

test("it sleeps on through a restart of everything", async () => {
  const { scoringUri } = await client.services.get("sleepy");
  await untilAsleep("sleepy");
  await slipway.stop();
  await slipway.start();

  const answer = await eventually(() => burst(scoringUri));
  expect(answer.size).toBe(1);
});
