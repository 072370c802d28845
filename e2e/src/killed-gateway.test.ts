import { glob, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { SlipwayClient } from "@slipway/client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, type Installation, repository, run, startInstallation } from "./harness/installation.ts";
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
  readonly startedAt: number;
  readonly endedAt: number;
  /** undefined when no answer came */
  readonly status: number | undefined;
  /** why no answer came */
  readonly failure: string | undefined;
}

/** 100 requests a second, each with an id of its own, until `stop`. */
async function load(name: string) {
  const fetch = await trusting(slipway);
  const url = (await client.services.get("diary")).scoringUri ?? "";
  const calls: Call[] = [];
  const running = openLoop(async () => {
    const id = `${name}-${calls.length}-${Math.random().toString(36).slice(2)}`;
    const startedAt = performance.now();
    const answer = await fetch(url, { method: "POST", body: "{}", headers: { "x-request-id": id } })
      .then(async (response) => {
        await response.text();
        return { status: response.status, failure: undefined };
      })
      .catch(({ cause }: { cause?: { code?: string } }) => ({ status: undefined, failure: cause?.code ?? "unknown" }));
    calls.push({ id, startedAt, endedAt: performance.now(), ...answer });
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

/** @returns the milliseconds until the next request was answered */
async function kill(running: Awaited<ReturnType<typeof load>>): Promise<number> {
  const killed = await slipway.gatewayPid();
  process.kill(killed, "SIGKILL");
  const killedAt = performance.now();
  await eventually(async () => ((await slipway.gatewayPid()) === killed ? undefined : true));
  const first = await eventually(async () =>
    running.calls.find(({ status, endedAt }) => status === 200 && endedAt > killedAt + 50),
  );
  return Math.round(first.endedAt - killedAt);
}

/** How long this machine takes, with all that it has to do now, to load the gateway's program. */
async function loadingMs(): Promise<number> {
  const begin = performance.now();
  await run([process.execPath, "--conditions=slipway-source", join(repository, "gateway/src/main.ts")]);
  return performance.now() - begin;
}

test("SIGKILL of the gateway under load: it is back in a second, callers wait instead of being refused, no request is executed twice", async () => {
  const running = await load("killed");
  await eventually(async () => (running.calls.length > 50 ? true : undefined));
  const outagesMs: number[] = [];
  const limitsMs: number[] = [];
  for (let round = 0; round < 5; round += 1) {
    outagesMs.push(await kill(running));
    // The second is for a machine that has nothing else to do; loading takes a quarter of one there.
    limitsMs.push(Math.max(1_000, 3 * (await loadingMs())));
    // Until it has been at work for so long that its next death is no sequel of this one.
    const steady = performance.now() + 1_500;
    await eventually(async () =>
      running.calls.some(({ status, startedAt }) => status === 200 && startedAt > steady) ? true : undefined,
    );
  }
  const calls = await running.stop();
  console.log(
    `outages of ${outagesMs.join(", ")} ms, limits ${limitsMs.map(Math.round).join(", ")} ms; ${calls.length} requests`,
  );
  expect(outagesMs.some((outageMs, round) => outageMs < (limitsMs[round] ?? 0))).toBe(true);
  expect(Math.max(...outagesMs)).toBeLessThan(5_000);
  // Those in flight broke off; none was answered with an error, and none hangs.
  expect(
    [...new Set(calls.map(({ status }) => status))].filter((status) => status !== 200 && status !== undefined),
  ).toEqual([]);
  expect(calls.filter(({ failure }) => failure === "ECONNREFUSED")).toEqual([]);
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

test("a gateway that an earlier supervisor started is missed at once, too", async () => {
  await slipway.killAllButServing();
  await slipway.start();
  const running = await load("adopted");
  await eventually(async () => (running.calls.some(({ status }) => status === 200) ? true : undefined));

  expect(await kill(running)).toBeLessThan(5_000);
  // From now on the socket is held by the one that started it.
  await kill(running);

  const calls = await running.stop();
  const ids = await executed();
  expect(new Set(ids).size).toBe(ids.length);
  expect(calls.filter(({ id, status }) => status === 200 && !ids.includes(id))).toEqual([]);
});
