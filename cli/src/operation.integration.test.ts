import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileFromText, type Image, type Model, type Operation, type Service } from "@slipway/client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type CliUnderTest, startCliUnderTest } from "./cli-fixture.ts";
import { connect } from "./connect.ts";
import { findConnection } from "./connection.ts";

const SLOW = `
import os, time

def init():
    while not os.path.exists(os.environ["GO"]):
        time.sleep(0.05)

def run(data):
    return "served"
`;

let cli: CliUnderTest;
beforeAll(async () => {
  cli = await startCliUnderTest();
  await writeFile(join(cli.folder, "weights.txt"), "1 2 3");
  await writeFile(join(cli.folder, "waits.py"), SLOW.replace('os.environ["GO"]', '"/nothing/that/ever/comes"'));
  await writeFile(join(cli.folder, "sleeps.py"), SLOW.replace(/ {4}while.*\n.*\n/, "    time.sleep(6)\n"));
  for (const name of ["waits", "sleeps"]) {
    const files = ["--script", `${name}.py`, "--model", "weights=weights.txt"];
    await cli.json<Image>("image", "create", name, ...files);
  }
});
afterAll(() => cli.stop());

/** A deployment that somebody started and went away from. */
async function startDeployment(name: string): Promise<string> {
  const client = connect(await findConnection({ data: cli.data }, {}));
  const { operationId } = await client.services.create({ name, imageId: `${name}:1` });
  return operationId;
}

async function logHas(service: string, text: string): Promise<void> {
  const deadline = performance.now() + 90_000;
  while (!(await cli.slipway(["service", "logs", service])).stdout.includes(text)) {
    if (performance.now() > deadline) throw new Error(`The log of ${service} never had ${JSON.stringify(text)}.`);
    await sleep(100);
  }
}

test("a cancelled deployment ends, says so, and its name is free", async () => {
  const id = await startDeployment("waits");
  await logHas("waits", "Starting replica 1 of 1");
  const asked = await cli.slipway(["operation", "cancel", id]);
  expect(asked).toMatchObject({ exitCode: 0, stdout: `Asked ${id} to stop.\n` });
  const waited = await cli.slipway(["operation", "wait", id]);
  expect(waited.exitCode).toBe(1);
  expect(waited.stderr).toMatch(/cancel/i);
  expect((await cli.json<Operation>("operation", "show", id)).state).toBe("Cancelled");
  expect((await cli.slipway(["service", "delete", "waits"])).exitCode).toBe(0);
  expect((await cli.slipway(["service", "show", "waits"])).exitCode).toBe(3);
});

test("waiting goes on while the control plane is replaced", async () => {
  const id = await startDeployment("sleeps");
  const waiting = cli.slipway(["operation", "wait", id]);
  await logHas("sleeps", "Starting replica 1 of 1");
  expect((await cli.slipway(["restart", "--data", cli.data])).stdout).toContain("was replaced");
  expect(await waiting).toMatchObject({ exitCode: 0 });
  const { state, imageId } = await cli.json<Service>("service", "show", "sleeps");
  expect({ state, imageId }).toEqual({ state: "Healthy", imageId: "sleeps:1" });
  expect((await cli.slipway(["service", "run", "sleeps", "{}"])).stdout).toBe("served\n");
});

test("lists have everything, however many pages the server makes of it", async () => {
  const client = connect(await findConnection({ data: cli.data }, {}));
  const name = "many";
  for (let version = 1; version <= 260; version++) {
    await client.models.register({ name, files: [fileFromText("w.txt", String(version))] });
  }
  const models = await cli.json<Model[]>("model", "list", "--name", name);
  expect(models.map((model) => model.version)).toEqual(Array.from({ length: 260 }, (_, index) => 260 - index));
});
