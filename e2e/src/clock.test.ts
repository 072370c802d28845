import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient, type Fetch, type SlipwayClient } from "@slipway/client";
import { Agent, fetch as undiciFetch } from "undici";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fakeClock, hasFakeClock } from "../../gateway/src/test/fake-clock.ts";
import { eventually, type Installation, startInstallation } from "./harness/installation.ts";
import { openLoop } from "./harness/open-loop.ts";
import { buildImage, versionScript } from "./harness/sdk.ts";

/** The clock of a machine is set by weeks while Slipway runs: scoring never fails, and soon everything else is as before. */
let folder: string;
let clock: ReturnType<typeof fakeClock>;
let slipway: Installation;
let client: SlipwayClient;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-clock-"));
  clock = fakeClock(folder);
  slipway = await startInstallation([], clock.env);
  client = await clientWithoutClock();
});
afterAll(async () => {
  await slipway?.dispose();
  await rm(folder, { recursive: true });
});

const agent = new Agent({ connect: { rejectUnauthorized: false } });
/** Takes certificates of any time: this process has the real clock. */
const fetch = ((url: string, init: object) => undiciFetch(url, { ...init, dispatcher: agent })) as unknown as Fetch;

async function clientWithoutClock(): Promise<SlipwayClient> {
  const { url, tokenUrl } = JSON.parse(await readFile(join(slipway.dataFolder, "client.json"), "utf8")) as {
    url: string;
    tokenUrl: string;
  };
  const body = new URLSearchParams({ resource: url }).toString();
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  return createClient({
    url,
    fetch,
    async token() {
      const response = await fetch(tokenUrl, { method: "POST", body, headers });
      return ((await response.json()) as { access_token: string }).access_token;
    },
  });
}

async function deploy(name: string): Promise<string> {
  const imageId = await buildImage(client, name, versionScript(1));
  const settings = { name, imageId, cpu: 0.5, memoryInGB: 0.2 };
  await client.operations.wait((await client.services.create(settings)).operationId);
  return (await client.services.get(name)).scoringUri;
}

test.skipIf(!hasFakeClock)(
  "a clock that is set by weeks fails no scoring request; certificates, tokens and operations follow it",
  async () => {
    const url = await deploy("steady");
    const load = openLoop(async () => {
      const response = await fetch(url, { method: "POST", body: "{}" });
      const text = await response.text();
      if (response.status !== 200) throw new Error(`${response.status} ${text}`);
    }, 20);

    for (const [index, offset] of ["+40d", "-3d"].entries()) {
      clock.set(offset);
      // The command line has that clock, too, and looks at the certificates of control plane and gateway.
      for (const command of [["list"], ["run", "steady", "{}"]]) {
        await eventually(async () => {
          const { code, output } = await slipway.slipway(["service", ...command], { env: clock.env });
          expect(code, output).toBe(0);
          return true;
        }, 60_000);
      }
      await deploy(`later-${index}`);
      await client.operations.wait((await client.services.delete(`later-${index}`))?.operationId ?? "");
    }

    const { failures, sent } = await load.stop();
    expect(failures).toEqual([]);
    expect(sent).toBeGreaterThan(100);
    expect((await client.services.get("steady")).state).toBe("Healthy");
  },
);
