import { glob, rm } from "node:fs/promises";
import { join } from "node:path";
import type { SlipwayClient } from "@slipway/client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Call, Diaries, type DiaryLoad, diaryLoad, diaryScript } from "./harness/diary.ts";
import { eventually, type Installation, repository, run, startInstallation } from "./harness/installation.ts";
import { buildImage, sdk } from "./harness/sdk.ts";

/** A gateway that is killed under load is back soon, and what it had in work is not done twice. */
let slipway: Installation;
let client: SlipwayClient;

beforeAll(async () => {
  slipway = await startInstallation();
  client = await sdk(slipway);
  const image = await buildImage(client, "diary", diaryScript);
  const { operationId } = await client.services.create({ name: "diary", imageId: image, cpu: 1, memoryInGB: 1 });
  await client.operations.wait(operationId);
});
afterAll(() => slipway?.dispose());

async function load(): Promise<DiaryLoad> {
  return diaryLoad(slipway, (await client.services.get("diary")).scoringUri ?? "", 100);
}

/** Nothing was done twice, and what was answered was done. */
async function expectDoneOnce(calls: readonly Call[], diaries: Diaries): Promise<void> {
  const ids = (await diaries.read()).flat();
  expect(new Set(ids).size).toBe(ids.length);
  expect(calls.filter(({ id, status }) => status === 200 && !ids.includes(id))).toEqual([]);
}

/** @returns the milliseconds until the next request was answered */
async function kill(running: DiaryLoad): Promise<number> {
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
  await using diaries = new Diaries(slipway);
  const running = await load();
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
  expect(Math.max(...outagesMs)).toBeLessThan(20_000);
  // Those in flight broke off; none was answered with an error, and none hangs.
  expect(
    [...new Set(calls.map(({ status }) => status))].filter((status) => status !== 200 && status !== undefined),
  ).toEqual([]);
  expect(calls.filter(({ failure }) => failure === "ECONNREFUSED")).toEqual([]);
  await expectDoneOnce(calls, diaries);
});

test("a replica whose sockets were removed is brought up again; requests are not done twice meanwhile", async () => {
  await using diaries = new Diaries(slipway);
  expect(await diaries.look()).toBe(1);
  const sockets: string[] = [];
  for await (const socket of glob(join(slipway.dataFolder, "run/*/*.sock"))) sockets.push(socket);
  for (const socket of sockets) await rm(socket, { force: true });
  const running = await load();
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
  await expectDoneOnce(calls, diaries);
  // A replacement takes its time; whoever could not be answered was told so.
  expect(calls.filter(({ status }) => status === undefined || ![200, 424, 503].includes(status))).toEqual([]);
  // It serves before the control plane has written down that it does.
  await eventually(async () => ((await client.services.get("diary")).state === "Healthy" ? true : undefined));
});

test("a gateway that an earlier supervisor started is missed at once, too", async () => {
  await slipway.killAllButServing();
  await slipway.start();
  await using diaries = new Diaries(slipway);
  const running = await load();
  await eventually(async () => (running.calls.some(({ status }) => status === 200) ? true : undefined));

  expect(await kill(running)).toBeLessThan(20_000);
  // From now on the socket is held by the one that started it.
  await kill(running);

  await expectDoneOnce(await running.stop(), diaries);
});
