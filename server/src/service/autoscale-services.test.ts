import { afterEach, beforeEach, expect, it } from "vitest";
import { type ControlPlane, createServiceFixture, eventually, MMS } from "./test/service-fixture.ts";

let fixture: Awaited<ReturnType<typeof createServiceFixture>>;
let plane: ControlPlane;
const ws = () => fixture.workspace.id;
const service = () => plane.services.get(ws(), "digits");
const route = () => fixture.gateway.route("digits");

beforeEach(async () => {
  fixture = await createServiceFixture();
  plane = fixture.controlPlane();
  await plane.runner.start();
});
afterEach(() => fixture.close());

async function deploy(more: object) {
  const imageId = await fixture.imageOf(plane, "digits");
  const answer = await send("POST", "/services", { name: "digits", computeType: "ACI", imageId, ...more });
  expect(answer.status).toBe(202);
  expect((await plane.settled("digits")).status).toBe("Succeeded");
}

async function send(method: "POST" | "PATCH" | "GET", path: string, body?: unknown) {
  const headers = { "content-type": method === "PATCH" ? "application/json-patch+json" : "application/json" };
  const payload = body === undefined ? {} : { payload: JSON.stringify(body) };
  const answer = await plane.app.inject({ method, url: `${MMS}${path}`, headers, ...payload });
  return { status: answer.statusCode, body: answer.body === "" ? undefined : answer.json() };
}

async function patch(path: string, value: unknown) {
  expect((await send("PATCH", "/services/digits", [{ op: "replace", path, value }])).status).toBe(202);
  expect((await plane.settled("digits")).status).toBe("Succeeded");
}

/** What the gateway tells: this many requests at once for the last seconds. */
function load(requests: number, { seconds = 60, idleMs = 0, revision = 1 } = {}) {
  fixture.gateway.settings.signals = [
    {
      basePath: "/api/v1/service/digits",
      revision,
      inFlight: requests,
      queued: 0,
      loads: Array.from({ length: seconds }, () => requests),
      idleMs,
    },
  ];
}

it("follows the load up and down, without a new revision, draining what goes", async () => {
  await deploy({ autoScaler: { minReplicas: 1, maxReplicas: 4 } });
  const [first] = route()?.replicas ?? [];
  plane.autoscaler.start();
  load(2);
  await eventually(() => expect(route()?.replicas).toHaveLength(3));
  expect(route()?.replicas).toContainEqual(first);
  load(50);
  await eventually(() => expect(route()?.replicas).toHaveLength(4));
  fixture.gateway.settings.drained.length = 0;
  load(0);
  await eventually(() => expect(route()?.replicas).toEqual([first]));
  await eventually(() => expect(fixture.engine.images()).toHaveLength(1));
  expect(fixture.gateway.settings.drained).toHaveLength(3);
  expect(fixture.gateway.settings.drained).not.toContain(first?.id);
  expect(route()?.revision).toBe(1);
  const { body } = await send("GET", "/services/digits");
  expect(body).toMatchObject({
    state: "Healthy",
    numReplicas: 1,
    autoScaler: { autoscaleEnabled: true, maxReplicas: 4 },
  });
});

it("sleeps when idle, says so to the gateway, and is adopted when the gateway has woken it", async () => {
  await deploy({ autoScaler: { minReplicas: 0, maxReplicas: 2, idleSeconds: 10 } });
  plane.autoscaler.start();
  load(0, { idleMs: 11_000 });
  await eventually(() => expect(fixture.engine.images()).toEqual([]));
  await eventually(() =>
    expect(route()).toMatchObject({
      replicas: [],
      asleep: { replica: { probe: true }, startFile: expect.stringContaining(".json"), wakeTimeoutMs: 120_000 },
    }),
  );
  plane.reconciler.start();
  load(1);
  const { id } = route()?.asleep?.replica ?? { id: "" };
  await fixture.engine.wake();
  await eventually(() => expect(route()?.replicas).toMatchObject([{ id }]));
  expect(route()?.asleep).toBeUndefined();
  expect((await service()).state).toBe("Healthy");
});

it("was woken while no control plane lived: the next one adopts it", async () => {
  await deploy({ autoScaler: { minReplicas: 0, maxReplicas: 2, idleSeconds: 10 } });
  plane.autoscaler.start();
  load(0, { idleMs: 11_000 });
  await eventually(() => expect(route()?.asleep).toBeDefined());
  await eventually(() => expect(fixture.engine.images()).toEqual([]));
  await plane.stop();
  await fixture.engine.wake();
  load(1);
  plane = fixture.controlPlane();
  await plane.runner.start();
  plane.reconciler.start();
  await eventually(() => expect(route()?.replicas).toHaveLength(1));
  expect(fixture.engine.history.started).toHaveLength(2);
});

it("sleeps on after everything was stopped, and is ready to be woken", async () => {
  await deploy({ autoScaler: { minReplicas: 0, maxReplicas: 2, idleSeconds: 10 } });
  plane.autoscaler.start();
  load(0, { idleMs: 11_000 });
  await eventually(() => expect(fixture.engine.images()).toEqual([]));
  const before = route()?.asleep?.replica.nonce;
  await plane.stop();
  await plane.reconciler.stopReplicas();
  plane = fixture.controlPlane();
  await plane.runner.start();
  plane.reconciler.start();
  await eventually(() => expect(route()?.asleep?.replica.nonce).not.toBe(before));
  await eventually(() => expect(route()?.asleep).toBeDefined());
  expect(fixture.engine.images()).toEqual([]);
});

it("wakes for good when it must not sleep any more", async () => {
  await deploy({ autoScaler: { minReplicas: 0, maxReplicas: 3, idleSeconds: 10 } });
  plane.autoscaler.start();
  load(0, { idleMs: 11_000 });
  await eventually(() => expect(route()?.asleep).toBeDefined());
  await patch("/autoScaler/minReplicas", 2);
  await eventually(() => expect(route()?.replicas).toHaveLength(2));
});

it("an update brings the new revision up as large as the old one, and awake", async () => {
  await deploy({ autoScaler: { minReplicas: 0, maxReplicas: 5, idleSeconds: 10 } });
  plane.autoscaler.start();
  load(2);
  await eventually(() => expect(route()?.replicas).toHaveLength(3));
  await plane.autoscaler.stop();
  await plane.services.update(ws(), "digits", { imageId: await fixture.imageOf(plane, "digits") });
  await plane.settled("digits");
  expect(route()).toMatchObject({ revision: 2, replicas: [{}, {}, {}] });
  expect(fixture.engine.images()).toEqual(["digits:2", "digits:2", "digits:2"]);
});

it("keeps a fixed number that is set, and changes it without a new revision", async () => {
  await deploy({ numReplicas: 2 });
  plane.autoscaler.start();
  load(100);
  expect(route()?.replicas).toHaveLength(2);
  await patch("/numReplicas", 3);
  expect(route()).toMatchObject({ revision: 1, replicas: [{}, {}, {}] });
  await patch("/numReplicas", 1);
  expect(route()).toMatchObject({ revision: 1, replicas: [{}] });
  expect((await service()).desired.replicas).toBe(1);
});

it("does not ask a machine for more than it has", async () => {
  await deploy({ autoScaler: { maxReplicas: 10 }, containerResourceRequirements: { cpu: 1, memoryInGB: 3 } });
  plane.autoscaler.start();
  load(100);
  await eventually(() => expect(route()?.replicas).toHaveLength(3));
});

it("trusts no load of another revision, and waits for a gateway that is down", async () => {
  await deploy({ autoScaler: { maxReplicas: 4 } });
  fixture.gateway.settings.down = true;
  plane.autoscaler.start();
  load(50, { revision: 7 });
  fixture.gateway.settings.down = false;
  await patch("/description", "a while passes");
  expect(route()?.replicas).toHaveLength(1);
  load(50);
  await eventually(() => expect(route()?.replicas).toHaveLength(4));
});
