import { glob, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { SlipwayClient } from "@slipway/client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Call, call, Diaries, diaryLoad, diaryScript } from "./harness/diary.ts";
import { eventually, type Installation, startInstallation } from "./harness/installation.ts";
import { buildImage, sdk, trusting } from "./harness/sdk.ts";

/** One of two replicas is killed under load: only what it had in work is lost, and nothing is done twice. */
let slipway: Installation;
let client: SlipwayClient;

beforeAll(async () => {
  slipway = await startInstallation();
  client = await sdk(slipway);
  const imageId = await buildImage(client, "diary", diaryScript);
  const settings = { name: "diary", imageId, cpu: 0.5, memoryInGB: 0.2, replicas: 2 };
  await client.operations.wait((await client.services.create(settings)).operationId);
});
afterAll(() => slipway?.dispose());

/** The processes that hold a run folder of this installation, by folder. */
async function scorers(): Promise<ReadonlyMap<string, number>> {
  const found = new Map<string, number>();
  for await (const file of glob("/proc/[0-9]*/cmdline")) {
    const folder = (await readFile(file, "utf8").catch(() => "")).split("\0").at(-2) ?? "";
    if (folder.startsWith(join(slipway.dataFolder, "run/"))) found.set(folder, Number(file.split("/")[2]));
  }
  return found;
}

test("SIGKILL of a replica under load: what it had in work gets 424, everybody else an answer, nobody two", async () => {
  await using diaries = new Diaries(slipway);
  const fetch = await trusting(slipway);
  const url = (await client.services.get("diary")).scoringUri ?? "";
  const running = await diaryLoad(slipway, url, 50);
  const long: Call[] = [];
  for (let round = 0; round < 3; round += 1) {
    const before = running.calls.length;
    await eventually(async () => (running.calls.length > before + 50 ? true : undefined));
    const ids = Array.from({ length: 4 }, () => crypto.randomUUID());
    const inWork = ids.map((id) => call(fetch, url, id, 3));
    const alive = await eventually(async () => {
      const busy = (await diaries.read()).filter((diary) => ids.some((id) => diary.includes(id)));
      const now = await scorers();
      return busy.length === 2 && now.size === 2 ? now : undefined;
    });
    const [victim] = [...alive.values()].slice(round % 2);
    process.kill(victim ?? Number.NaN, "SIGKILL");
    await eventually(async () => {
      const now = await scorers();
      return now.size === 2 && ![...now.values()].includes(victim ?? 0) ? true : undefined;
    });
    await eventually(async () => ((await client.services.get("diary")).state === "Healthy" ? true : undefined));
    const ended = await Promise.all(inWork);
    // The one that the victim had begun, and perhaps one that was already at it.
    expect(ended.map(({ status }) => status).filter((status) => status === 424).length).toBeGreaterThan(0);
    long.push(...ended);
  }
  const calls = [...(await running.stop()), ...long];

  expect(calls.filter(({ status }) => status !== 200 && status !== 424)).toEqual([]);
  expect(calls.filter(({ status }) => status === 424).length).toBeLessThan(calls.length / 2);
  const ids = (await diaries.read()).flat();
  expect(new Set(ids).size).toBe(ids.length);
  expect(calls.filter(({ id, status }) => status === 200 && !ids.includes(id))).toEqual([]);
});
