import { fileFromText, type SlipwayClient } from "@slipway/client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, type Installation, startInstallation } from "./harness/installation.ts";
import { buildImage, sdk, trusting, versionScript } from "./harness/sdk.ts";
import { steadyLoad } from "./harness/steady-load.ts";

/** The promise "operations survive": SIGKILL of the control plane in the middle of build, deploy, update and delete. */
let slipway: Installation;
let client: SlipwayClient;

beforeAll(async () => {
  slipway = await startInstallation();
  client = await sdk(slipway);
  const image = await buildImage(client, "bystander", versionScript(1));
  await client.operations.wait(
    (await client.services.create({ name: "bystander", imageId: image, cpu: 0.5, memoryInGB: 0.5 })).operationId,
  );
});
afterAll(() => slipway?.dispose());

/** Milliseconds after the start of the work at which the control plane dies: from before the first step to past the last. */
const moments = [0, 60, 250, 800];

async function killAfter(ms: number): Promise<void> {
  const before = await slipway.health();
  await new Promise((resolve) => setTimeout(resolve, ms));
  await slipway.killControlPlane();
  await eventually(async () => ((await slipway.health()).startedAt === before.startedAt ? undefined : true));
}

test("build, deploy, update and delete end well whenever the control plane is killed; a service beside them never fails", async () => {
  const load = steadyLoad(await trusting(slipway), (await client.services.get("bystander")).scoringUri ?? "", 50);
  for (const [index, ms] of moments.entries()) {
    const name = `victim-${index}`;
    const { operationId, imageId } = await client.images.create({
      name,
      models: ["m:1"],
      script: fileFromText("score.py", versionScript(1)),
    });
    await killAfter(ms);
    await client.operations.wait(operationId);

    const deploy = await client.services.create({ name, imageId, cpu: 0.5, memoryInGB: 0.5 });
    await killAfter(ms);
    await client.operations.wait(deploy.operationId);
    expect(await client.services.score(name, {})).toEqual({ version: 1 });

    const better = await buildImage(client, name, versionScript(2));
    const update = await client.services.update(name, { imageId: better });
    await killAfter(ms);
    await client.operations.wait(update?.operationId ?? "");
    expect(await client.services.score(name, {})).toEqual({ version: 2 });

    await client.services.delete(name);
    await killAfter(ms);
    await eventually(async () =>
      (await client.services.list()).some((service) => service.name === name) ? undefined : true,
    );
    // The name is free at once, and what a new service finds there is its own.
    const again = await client.services.create({ name, imageId, cpu: 0.5, memoryInGB: 0.5 });
    await client.operations.wait(again.operationId);
    expect(await client.services.score(name, {})).toEqual({ version: 1 });
    await client.operations.wait((await client.services.delete(name))?.operationId ?? "");
  }
  const { failures, sent } = await load.stop();
  expect(failures).toEqual([]);
  expect(sent).toBeGreaterThan(100);
  expect((await client.services.list()).map((service) => service.name)).toEqual(["bystander"]);
  expect((await client.images.list({ name: "victim-0" })).map((image) => image.id).sort()).toEqual([
    "victim-0:1",
    "victim-0:2",
  ]);
});
