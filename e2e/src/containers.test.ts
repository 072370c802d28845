import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SlipwayClient } from "@slipway/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ContainerEngine, hasEngine, startDocker } from "../../server/src/platform/testing/container-engines.ts";
import {
  eventually,
  hasGenuineClient,
  type Installation,
  repository,
  run,
  startInstallation,
} from "./harness/installation.ts";
import { buildImage, sdk, trusting, versionScript } from "./harness/sdk.ts";
import { steadyLoad } from "./harness/steady-load.ts";

/** The promise "the same image in a container": deploy, update under load, lose the control plane, lose the engine, delete. */
let docker: ContainerEngine;
let slipway: Installation;
let client: SlipwayClient;

describe.skipIf(!hasEngine("docker"))("services in containers", () => {
  beforeAll(async () => {
    docker = await startDocker();
    slipway = await startInstallation([
      ...["--container-instances", "container"],
      ...["--container-engine", docker.address],
      ...["--container-network", "none"],
    ]);
    const base = [process.execPath, join(repository, "scripts/make-base-image.ts"), "--data", slipway.dataFolder];
    expect(await run(base, { timeoutMs: 600_000 })).toMatchObject({ code: 0 });
    client = await sdk(slipway);
  });
  afterAll(async () => {
    await slipway?.dispose();
    await docker?.close();
  });

  /** Names of the containers that run, as the engine knows them. */
  async function containers(): Promise<readonly string[]> {
    const { stdout } = await run(["docker", "--host", docker.address, "ps", "--format", "{{.Names}} {{.ID}}"]);
    return stdout.split("\n").filter((line) => line !== "");
  }

  async function untilContainers(count: number): Promise<void> {
    await eventually(async () => {
      const found = await containers();
      if (found.length !== count) throw new Error(`${count} containers were expected, not ${found.join(", ")}`);
      return true;
    });
  }

  test("a service in containers: update under load, killed control plane, restarted engine, deletion", async () => {
    const [first, second] = [
      await buildImage(client, "boxed", versionScript(1)),
      await buildImage(client, "boxed", versionScript(2)),
    ];
    const deploy = await client.services.create({ name: "boxed", imageId: first, cpu: 0.5, memoryInGB: 0.5 });
    await client.operations.wait(deploy.operationId);
    expect(await client.services.score("boxed", {})).toEqual({ version: 1 });
    await untilContainers(1);

    const { scoringUri = "" } = await client.services.get("boxed");
    const load = steadyLoad(await trusting(slipway), scoringUri, 50, 0.3);
    const update = await client.services.update("boxed", { imageId: second });
    await client.operations.wait(update?.operationId ?? "");
    expect(await client.services.score("boxed", {})).toEqual({ version: 2 });

    const serving = await eventually(async () => {
      const found = await containers();
      return found.length === 1 ? found : undefined;
    });
    const { startedAt } = await slipway.health();
    await slipway.killControlPlane();
    await eventually(async () => ((await slipway.health()).startedAt === startedAt ? undefined : true));
    await eventually(async () => ((await client.services.get("boxed")).state === "Healthy" ? true : undefined));
    expect(await containers()).toEqual(serving);
    const { failures, sent, versions } = await load.stop();
    expect(failures).toEqual([]);
    expect(sent).toBeGreaterThan(50);
    expect([...versions.keys()].sort()).toEqual([1, 2]);

    await docker.restart();
    await eventually(async () => {
      const answer = await client.services.score("boxed", {});
      return JSON.stringify(answer) === '{"version":2}' ? true : undefined;
    });
    await untilContainers(1);
    expect(await client.services.logs("boxed")).toContain("scorer: ");

    await client.operations.wait((await client.services.delete("boxed"))?.operationId ?? "");
    expect(await containers()).toEqual([]);
  });

  test("it sleeps, wakes with nothing alive but gateway and engine, and comes back as a container after a restart", async () => {
    const imageId = await buildImage(client, "sleepy", versionScript(7));
    const scaling = { minReplicas: 0, maxReplicas: 1, idleSeconds: 2 };
    const settings = { name: "sleepy", imageId, cpu: 0.5, memoryInGB: 0.5, scaling };
    await client.operations.wait((await client.services.create(settings)).operationId);
    const { scoringUri = "" } = await client.services.get("sleepy");
    const ask = async () => (await (await trusting(slipway))(scoringUri, { method: "POST", body: "{}" })).text();
    /** Left alone it sleeps again before anybody has looked. */
    const untilAwake = () =>
      eventually(async () => {
        expect(await ask()).toBe('{"version": 7}');
        return (await containers()).length === 1 ? true : undefined;
      });

    await untilContainers(0);
    await eventually(async () => {
      const open = (await client.operations.list()).filter(({ endTime }) => endTime === null);
      return open.length === 0 ? true : undefined;
    });
    await slipway.killAllButServing();
    expect(await ask()).toBe('{"version": 7}');
    expect(await containers()).toHaveLength(1);
    await slipway.start();
    expect(await ask()).toBe('{"version": 7}');

    await slipway.stop();
    expect(await containers()).toEqual([]);
    // The setting is for services to come.
    await slipway.start(["--container-engine", docker.address, "--container-network", "none"]);
    client = await sdk(slipway);
    await untilAwake();
    await slipway.stop();
    await slipway.start();
    client = await sdk(slipway);
    await client.operations.wait((await client.services.delete("sleepy"))?.operationId ?? "");
  });

  test.skipIf(!hasGenuineClient)("RUN in Docker steps of the genuine client", async () => {
    const cwd = await mkdtemp(join(tmpdir(), "slipway-run-steps-"));
    try {
      const workspace = {
        subscription_id: "11111111-1111-1111-1111-111111111111",
        resource_group: "rg1",
        workspace_name: "ws-steps",
      };
      await writeFile(join(cwd, "config.json"), JSON.stringify(workspace));
      const { code, stdout, output } = await slipway.python("run_steps.py", [], { cwd });
      expect(code, output).toBe(0);
      // The client ends its dots without a new line.
      expect(stdout.match(/ok: /g)).toHaveLength(4);
      expect(await containers()).toEqual([]);
      const name = Object.values(workspace).join("/");
      const shown = await slipway.slipway(["image", "show", "with-run", "--workspace", name]);
      expect(shown.stdout, shown.stderr).toMatch(/^steps .*RUN read word/m);
    } finally {
      await rm(cwd, { recursive: true });
    }
  });

  test("without an engine a deployment is refused at once, and says what to do", async () => {
    const image = await buildImage(client, "unboxed", versionScript(3));
    await docker.kill();
    const deploy = client.services.create({ name: "unboxed", imageId: image, cpu: 0.5, memoryInGB: 0.5 });
    await expect(deploy).rejects.toThrow(/TargetNotReady|--container-engine/);
    await docker.start();
  });
});
