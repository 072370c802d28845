import type { SlipwayClient } from "@slipway/client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Installation, startInstallation } from "./harness/installation.ts";
import { buildImage, sdk, trusting, versionScript } from "./harness/sdk.ts";
import { steadyLoad } from "./harness/steady-load.ts";

/** The promise "the last good version keeps serving": 200 requests/s through 20 updates, 5 of them to broken images. */
let slipway: Installation;
let client: SlipwayClient;

beforeAll(async () => {
  slipway = await startInstallation();
  client = await sdk(slipway);
});
afterAll(() => slipway?.dispose());

test("no request fails through 20 updates, 5 of them to images that cannot start", async () => {
  const [first = "", second = "", broken = ""] = [
    await buildImage(client, "versions", versionScript(1)),
    await buildImage(client, "versions", versionScript(2)),
    await buildImage(
      client,
      "versions",
      "def init():\n    raise ValueError('broken on purpose')\n\ndef run(data):\n    return {}\n",
    ),
  ];
  const deploy = await client.services.create({ name: "steady", imageId: first, cpu: 2, memoryInGB: 1 });
  await client.operations.wait(deploy.operationId);
  const { scoringUri } = await client.services.get("steady");
  const load = steadyLoad(await trusting(slipway), scoringUri ?? "", 200, 0.3);
  let current = first;
  for (let update = 1; update <= 20; update += 1) {
    const isBroken = update % 4 === 0;
    const next = isBroken ? broken : current === first ? second : first;
    const started = await client.services.update("steady", { imageId: next });
    const outcome = client.operations.wait(started?.operationId ?? "");
    if (isBroken) {
      await expect(outcome).rejects.toThrow(/broken on purpose/);
      const service = await client.services.get("steady");
      expect([service.state, service.imageId]).toEqual(["Healthy", current]);
    } else {
      await outcome;
      current = next;
    }
  }
  const { sent, failures, versions } = await load.stop();
  expect(failures).toEqual([]);
  expect(sent).toBeGreaterThan(1_000);
  expect([...versions.keys()].sort()).toEqual([1, 2]);
});
