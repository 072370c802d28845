import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ControlPlane, createServiceFixture, eventually } from "./test/service-fixture.ts";

let fixture: Awaited<ReturnType<typeof createServiceFixture>>;
let plane: ControlPlane;
let imageId: string;
const ws = () => fixture.workspace.id;
const service = () => plane.services.get(ws(), "digits");

beforeEach(async () => {
  fixture = await createServiceFixture();
  plane = fixture.controlPlane();
  await plane.runner.start();
  imageId = await fixture.imageOf(plane, "digits");
  await plane.services.create(ws(), { name: "digits", computeType: "ACI", overwrite: false, imageId });
  await plane.settled("digits");
});
afterEach(() => fixture.close());

describe("the reconciler", () => {
  it("brings a dead replica up again and routes to the new one", async () => {
    const before = fixture.gateway.route("digits")?.replicas[0]?.nonce;
    plane.reconciler.start();
    await fixture.engine.kill();
    await eventually(() => expect(fixture.engine.images()).toEqual([imageId]));
    await eventually(() => {
      const [replica] = fixture.gateway.route("digits")?.replicas ?? [];
      expect(replica?.nonce).toBeDefined();
      expect(replica?.nonce).not.toBe(before);
    });
    await eventually(async () => expect(await service()).toMatchObject({ state: "Healthy", healthError: null }));
  });

  it("does not claim health for a service that stays down, and tells callers why", async () => {
    plane.reconciler.start();
    fixture.engine.behaviour.startFailures.set(imageId, { code: "OutOfMemory", message: "More than 512 MB." });
    await fixture.engine.kill();
    await eventually(async () =>
      expect(await service()).toMatchObject({ state: "Unhealthy", healthError: { code: "OutOfMemory" } }),
    );
    await eventually(() =>
      expect(fixture.gateway.route("digits")).toMatchObject({
        replicas: [],
        unavailableReason: expect.stringContaining("More than 512 MB."),
      }),
    );
    fixture.engine.behaviour.startFailures.clear();
    await eventually(async () => expect(await service()).toMatchObject({ state: "Healthy", healthError: null }));
    await eventually(() => expect(fixture.gateway.route("digits")?.replicas).toHaveLength(1));
  });

  it("brings every service back at the next start after all replicas were stopped", async () => {
    await plane.stop();
    await plane.reconciler.stopReplicas();
    expect(fixture.engine.images()).toEqual([]);
    plane = fixture.controlPlane();
    await plane.runner.start();
    plane.reconciler.start();
    await eventually(() => expect(fixture.engine.images()).toEqual([imageId]));
    await eventually(async () => expect((await service()).state).toBe("Healthy"));
  });

  it("adopts what still runs", async () => {
    await plane.stop();
    plane = fixture.controlPlane();
    await plane.runner.start();
    plane.reconciler.start();
    const versions = fixture.gateway.snapshots.length;
    await eventually(() => expect(fixture.gateway.snapshots.length).toBeGreaterThan(versions));
    expect(fixture.engine.history.started).toHaveLength(1);
  });

  it("leaves a service alone that an operation works on", async () => {
    const other = await fixture.imageOf(plane, "other");
    await plane.services.create(ws(), { name: "other", computeType: "ACI", overwrite: false, imageId: other });
    await plane.settled("other");
    fixture.builds.set("digits:2", "wait");
    const next = await plane.images.create(ws(), { name: "digits", modelIds: [], assets: [] });
    await plane.services.update(ws(), "digits", { imageId: next.id });
    await fixture.engine.kill();
    plane.reconciler.start();
    await eventually(() => expect(fixture.engine.images()).toContain(other));
    expect((await service()).state).toBe("Transitioning");
    expect(fixture.engine.images()).toEqual([other]);
    fixture.builds.set("digits:2", "succeed");
    await plane.settled("digits");
    expect(fixture.engine.images()).toEqual([other, "digits:2"]);
  });

  it("finishes a deletion whose operation failed", async () => {
    const { remove } = fixture.engine.target;
    const broken = fixture.engine.target as { remove: typeof remove };
    broken.remove = async () => {
      throw new Error("The engine is away.");
    };
    const operationId = await plane.services.remove(ws(), "digits");
    expect((await plane.runner.waitForEnd(ws(), operationId ?? "")).status).toBe("Failed");
    broken.remove = remove;
    plane.reconciler.start();
    await eventually(async () => expect(await fixture.store.listDeleted()).toEqual([]));
    expect(fixture.engine.images()).toEqual([]);
  });
});
