import { readFile } from "node:fs/promises";
import { RouteSnapshot } from "@slipway/api";
import { Value } from "typebox/value";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type ControlPlane, createServiceFixture, eventually } from "./test/service-fixture.ts";

let fixture: Awaited<ReturnType<typeof createServiceFixture>>;
let plane: ControlPlane;
const ws = () => fixture.workspace.id;

beforeEach(async () => {
  fixture = await createServiceFixture();
  plane = fixture.controlPlane();
  await plane.runner.start();
});
afterEach(() => fixture.close());

async function deploy(...names: string[]) {
  const imageId = await fixture.imageOf(plane, "image");
  for (const name of names) {
    await plane.services.create(ws(), { name, computeType: "ACI", overwrite: false, imageId });
  }
  for (const name of names) await plane.settled(name);
}

it("writes a whole picture that the gateway's schema accepts", async () => {
  await deploy("one", "two");
  const snapshot = JSON.parse(await readFile(fixture.gateway.routesFile, "utf8"));
  expect([...Value.Errors(RouteSnapshot, snapshot)]).toEqual([]);
  expect(snapshot.services.map(({ basePath }: { basePath: string }) => basePath)).toEqual([
    "/api/v1/service/one",
    "/api/v1/service/two",
  ]);
});

it("numbers pictures upwards, also across restarts, and writes none that says the same", async () => {
  await deploy("one");
  const before = fixture.gateway.snapshots.at(-1)?.version ?? 0;
  const regenerate = () => plane.credentials.regenerate(ws(), "one", "Primary");
  await plane.runner.waitForEnd(ws(), await regenerate());
  expect(fixture.gateway.snapshots.at(-1)?.version).toBe(before + 1);
  await plane.services.update(ws(), "one", { description: "the gateway need not know" });
  await plane.settled("one");
  expect(fixture.gateway.snapshots.at(-1)?.version).toBe(before + 1);
  await plane.stop();
  plane = fixture.controlPlane();
  await plane.runner.start();
  await plane.runner.waitForEnd(ws(), await regenerate());
  expect(fixture.gateway.snapshots.at(-1)?.version).toBe(before + 2);
});

it("gets above a gateway that knows a higher number than the database", async () => {
  await deploy("one");
  await fixture.database.deleteFrom("route_version").execute();
  const before = fixture.gateway.snapshots.at(-1)?.version ?? 0;
  fixture.gateway.settings.newerInForce = before + 40;
  await plane.runner.waitForEnd(ws(), await plane.credentials.regenerate(ws(), "one", "Primary"));
  expect(fixture.gateway.snapshots.at(-1)?.version).toBe(before + 41);
});

it("tells callers of a service that is being started what they wait for", async () => {
  fixture.builds.set("image:1", "wait");
  const image = await plane.images.create(ws(), { name: "image", modelIds: [], assets: [] });
  await plane.services.create(ws(), { name: "one", computeType: "ACI", overwrite: false, imageId: image.id });
  await plane.services.create(ws(), {
    name: "two",
    computeType: "ACI",
    overwrite: false,
    imageId: await fixture.imageOf(plane, "other"),
  });
  await plane.settled("two");
  expect(fixture.gateway.route("one")).toMatchObject({
    replicas: [],
    unavailableReason: "The service one is being started.",
  });
  fixture.builds.set("image:1", "succeed");
  await eventually(() => expect(fixture.gateway.route("one")?.replicas).toHaveLength(1));
});
