import { glob, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { SlipwayClient } from "@slipway/client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, type Installation, startInstallation } from "./harness/installation.ts";
import { openLoop } from "./harness/open-loop.ts";
import { buildImage, sdk, trusting } from "./harness/sdk.ts";

/** A gateway that is killed under load is back soon, and what it had in work is not done twice. */
let slipway: Installation;
let client: SlipwayClient;

/** Writes down which requests it was asked to answer. */
const script = `
import os, time

def init():
    pass

def run(data, request_headers):
    with open(os.path.join(os.environ["HOME"], "requests"), "a") as file:
        file.write(request_headers["x-request-id"] + "\\n")
    time.sleep(0.005)
    return {}
`;

beforeAll(async () => {
  slipway = await startInstallation();
  client = await sdk(slipway);
  const image = await buildImage(client, "diary", script);
  const { operationId } = await client.services.create({ name: "diary", imageId: image, cpu: 1, memoryInGB: 1 });
  await client.operations.wait(operationId);
});
afterAll(() => slipway?.dispose());

interface Call {
  readonly id: string;
  readonly endedAt: number;
  /** undefined when no answer came */
  readonly status: number | undefined;
}

/** 100 requests a second, each with an id of its own, until `stop`. */
async function load(name: string) {
  const fetch = await trusting(slipway);
  const url = (await client.services.get("diary")).scoringUri ?? "";
  const calls: Call[] = [];
  const running = openLoop(async () => {
    const id = `${name}-${calls.length}-${Math.random().toString(36).slice(2)}`;
    const answer = await fetch(url, { method: "POST", body: "{}", headers: { "x-request-id": id } })
      .then(async (response) => {
        await response.text();
        return response.status;
      })
      .catch(() => undefined);
    calls.push({ id, endedAt: performance.now(), status: answer });
  }, 100);
  return {
    calls,
    async stop(): Promise<readonly Call[]> {
      await running.stop();
      return calls;
    },
  };
}

async function executed(): Promise<readonly string[]> {
  const ids: string[] = [];
  for await (const file of glob(join(slipway.dataFolder, "run/*/home/requests"))) {
    ids.push(...(await readFile(file, "utf8")).trim().split("\n"));
  }
  return ids;
}

test("SIGKILL of the gateway under load: it is back soon, and no request is executed twice", async () => {
  const running = await load("killed");
  await eventually(async () => (running.calls.length > 50 ? true : undefined));
  const outagesMs: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    const killed = await slipway.gatewayPid();
    process.kill(killed, "SIGKILL");
    const killedAt = performance.now();
    await eventually(async () => ((await slipway.gatewayPid()) === killed ? undefined : true));
    const first = await eventually(async () =>
      running.calls.find(({ status, endedAt }) => status === 200 && endedAt > killedAt + 50),
    );
    outagesMs.push(Math.round(first.endedAt - killedAt));
    // Long enough for it to be on a steady course again.
    const after = running.calls.length;
    await eventually(async () => (running.calls.length > after + 50 ? true : undefined));
  }
  const calls = await running.stop();
  console.log(`outages of ${outagesMs.join(", ")} ms; ${calls.length} requests`);
  // Under a second on a machine with nothing else to do.
  expect(Math.max(...outagesMs)).toBeLessThan(5_000);
  // Those in flight broke off; none was answered with an error, and none hangs.
  expect(
    [...new Set(calls.map(({ status }) => status))].filter((status) => status !== 200 && status !== undefined),
  ).toEqual([]);
  const ids = await executed();
  expect(new Set(ids).size).toBe(ids.length);
  expect(calls.filter(({ id, status }) => status === 200 && !ids.includes(id))).toEqual([]);
});

test("a replica whose sockets were removed is brought up again; requests are not done twice meanwhile", async () => {
  for await (const socket of glob(join(slipway.dataFolder, "run/*/*.sock"))) await rm(socket);
  const running = await load("socketless");
  const replaced = await eventually(async () => {
    for await (const socket of glob(join(slipway.dataFolder, "run/*/frames.sock"))) return socket;
    return undefined;
  });
  expect(replaced).toBeDefined();
  const answered = running.calls.length;
  await eventually(async () =>
    running.calls.slice(answered).filter(({ status }) => status === 200).length > 50 ? true : undefined,
  );
  const calls = await running.stop();
  const ids = await executed();
  expect(new Set(ids).size).toBe(ids.length);
  // A replacement takes its time; what could not be answered was told so, and only once.
  expect([...new Set(calls.map(({ status }) => status))].sort()).not.toContain(undefined);
  expect((await client.services.get("diary")).state).toBe("Healthy");
});
