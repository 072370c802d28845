import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Model } from "../model/index.ts";
import type { OperationStore } from "../operation/index.ts";
import { type ControlPlane, createServiceFixture, eventually } from "./test/service-fixture.ts";

let fixture: Awaited<ReturnType<typeof createServiceFixture>>;
let plane: ControlPlane;

beforeEach(async () => {
  fixture = await createServiceFixture();
  plane = fixture.controlPlane();
  await plane.runner.start();
});
afterEach(() => fixture.close());

const request = { name: "digits", computeType: "ACI", overwrite: false } as const;
const ws = () => fixture.workspace.id;

async function deployed(imageId: string) {
  await plane.services.create(ws(), { ...request, imageId });
  const operation = await plane.settled("digits");
  expect(operation.error).toBeNull();
  return plane.services.get(ws(), "digits");
}

async function story(operationId: string | null): Promise<string[]> {
  return (await fixture.operationStore.log(operationId ?? "")).map(({ text }) => text);
}

describe("a first deploy", () => {
  it("starts replicas, gives them the route and tells its phases", async () => {
    const service = await deployed(await fixture.imageOf(plane, "digits"));
    expect(service).toMatchObject({ state: "Healthy", attemptError: null });
    expect(fixture.engine.images()).toEqual(["digits:1"]);
    expect(fixture.gateway.route("digits")).toMatchObject({
      basePath: "/api/v1/service/digits",
      auth: "none",
      revision: 1,
      replicas: [{ id: `${service.servingRevision}-0` }],
    });
    expect(await story(service.operationId)).toEqual([
      "Revision 1 of digits: image digits:1, process target.",
      "Starting replica 1 of 1.",
      "No sample input is known; run() is not checked.",
      "Switching traffic to revision 1.",
      "Revision 1 serves digits.",
    ]);
  });

  it("waits for a build that still runs and relays its log", async () => {
    fixture.builds.set("digits:1", "wait");
    const image = await plane.images.create(ws(), { name: "digits", modelIds: [], assets: [] });
    const { operationId } = await plane.services.create(ws(), { ...request, imageId: image.id });
    await eventually(async () => expect(await story(operationId)).toContain("Building digits:1."));
    expect(fixture.engine.images()).toEqual([]);
    fixture.builds.set("digits:1", "succeed");
    expect((await plane.settled("digits")).status).toBe("Succeeded");
  });

  it("fails with the build's cause when the image fails", async () => {
    fixture.builds.set("digits:1", "fail");
    await plane.services.create(ws(), { ...request, imageRequest: { modelIds: ["m:1"], assets: [] } });
    const operation = await plane.settled("digits");
    expect(operation).toMatchObject({ status: "Failed", step: "wait for image" });
    expect(operation.error?.message).toContain("No version of numpy fits numpy==99.");
    expect((await plane.services.get(ws(), "digits")).state).toBe("Failed");
    expect(await plane.services.logs(ws(), "digits", 100)).toContain("numpy==99");
  });

  it("fails with the start's cause, keeps the service readable and its logs full", async () => {
    const imageId = await fixture.imageOf(plane, "digits");
    fixture.engine.behaviour.startFailures.set(imageId, {
      code: "ImportError",
      message: "No module named 'scipy'.",
      nextAction: "Add scipy to the conda file.",
      file: "score.py",
      line: 3,
    });
    await plane.services.create(ws(), { ...request, imageId });
    const operation = await plane.settled("digits");
    expect(operation.error).toMatchObject({ code: "ImportError", statusCode: 400 });
    expect(operation.error?.message).toContain("score.py, line 3");
    const service = await plane.services.get(ws(), "digits");
    expect(service).toMatchObject({ state: "Failed", servingRevision: null, attemptError: { code: "ImportError" } });
    const logs = await plane.services.logs(ws(), "digits", 1000);
    expect(logs).toContain("init of digits:1 begins");
    expect(logs).toContain("Add scipy to the conda file.");
    expect(fixture.gateway.route("digits")?.unavailableReason).toContain("No module named 'scipy'");
  });

  it("runs the model's sample input once before traffic, and fails when run() does", async () => {
    fixture.models.set("digits:1", { id: "digits:1", sampleInputData: { data: [[1, 2]] } } as unknown as Model);
    const imageId = await fixture.imageOf(plane, "digits", ["digits:1"]);
    fixture.engine.behaviour.scores.set(imageId, 424);
    await plane.services.create(ws(), { ...request, imageId });
    const operation = await plane.settled("digits");
    expect(fixture.engine.history.scored).toEqual(['{"data":[[1,2]]}']);
    expect(operation.error).toMatchObject({ code: "SampleRunFailed" });
    expect(operation.error?.message).toContain("ValueError: could not convert");
    expect(fixture.engine.images()).toEqual([]);
  });

  it("takes the example of swagger.json as sample input", async () => {
    const imageId = await fixture.imageOf(plane, "digits");
    fixture.engine.behaviour.swagger.set(imageId, { definitions: { ServiceInput: { example: { data: [7] } } } });
    await deployed(imageId);
    expect(fixture.engine.history.scored).toEqual(['{"data":[7]}']);
  });

  it("waits for a gateway that is down", async () => {
    fixture.gateway.settings.down = true;
    const imageId = await fixture.imageOf(plane, "digits");
    await plane.services.create(ws(), { ...request, imageId });
    await eventually(async () => {
      const { operationId } = await plane.services.get(ws(), "digits");
      expect(await story(operationId)).toContain("Switching traffic to revision 1.");
    });
    expect((await plane.services.get(ws(), "digits")).state).toBe("Transitioning");
    fixture.gateway.settings.down = false;
    expect((await plane.settled("digits")).status).toBe("Succeeded");
  });
});

describe("an update", () => {
  it("replaces the old revision after the switch, draining it", async () => {
    const first = await deployed(await fixture.imageOf(plane, "digits"));
    const second = await fixture.imageOf(plane, "digits");
    await plane.services.update(ws(), "digits", { imageId: second });
    await plane.settled("digits");
    const service = await plane.services.get(ws(), "digits");
    expect(service.state).toBe("Healthy");
    expect(fixture.engine.images()).toEqual(["digits:2"]);
    expect(fixture.gateway.settings.drained).toEqual([`${first.servingRevision}-0`]);
    expect(fixture.engine.history.removed).toEqual([first.servingRevision]);
    expect(fixture.gateway.route("digits")?.revision).toBe(2);
    for (const { services } of fixture.gateway.snapshots.slice(-2)) expect(services[0]?.replicas).toHaveLength(1);
    expect((await story(service.operationId)).slice(-3)).toEqual([
      "Switching traffic to revision 2.",
      "Draining revision 1.",
      "Revision 2 serves digits.",
    ]);
  });

  it("keeps the old revision serving when the new one does not start", async () => {
    const before = await deployed(await fixture.imageOf(plane, "digits"));
    const broken = await fixture.imageOf(plane, "digits");
    fixture.engine.behaviour.startFailures.set(broken, { code: "InitFailed", message: "init() raised KeyError: 'w'." });
    await plane.services.update(ws(), "digits", { imageId: broken });
    expect(await plane.settled("digits")).toMatchObject({ status: "Failed", error: { code: "InitFailed" } });
    const service = await plane.services.get(ws(), "digits");
    expect(service).toMatchObject({
      state: "Healthy",
      servingRevision: before.servingRevision,
      attemptError: { code: "InitFailed" },
      desired: { imageId: "digits:1" },
    });
    expect((await plane.services.view(service)).settings.imageId).toBe("digits:1");
    expect(fixture.engine.images()).toEqual(["digits:1"]);
    expect(fixture.gateway.route("digits")).toMatchObject({ revision: 1, replicas: [{}] });
    const logs = await plane.services.logs(ws(), "digits", 1000);
    expect(logs).toContain("init() raised KeyError: 'w'.");
    expect(logs).toContain("Revision 1 keeps serving.");
  });

  it("changes tags, authentication and description without a new revision", async () => {
    const before = await deployed(await fixture.imageOf(plane, "digits"));
    await plane.services.update(ws(), "digits", { authEnabled: true, tags: { a: "b" }, description: "new" });
    expect(await plane.settled("digits")).toMatchObject({ status: "Succeeded", kind: "service.configure" });
    const service = await plane.services.get(ws(), "digits");
    expect(service).toMatchObject({ servingRevision: before.servingRevision, tags: { a: "b" }, description: "new" });
    expect(fixture.engine.history.started).toHaveLength(1);
    expect(fixture.gateway.route("digits")).toMatchObject({ auth: "key", keyHashes: [{}, {}] });
  });

  it("makes a revision when the resources change", async () => {
    await deployed(await fixture.imageOf(plane, "digits"));
    await plane.services.update(ws(), "digits", { cpu: 2 });
    await plane.settled("digits");
    const { desired } = await plane.services.get(ws(), "digits");
    expect(desired).toMatchObject({ cpu: 2, maxConcurrentRequests: 2 });
    expect(fixture.gateway.route("digits")).toMatchObject({ revision: 2, maxConcurrentRequests: 2 * 16 });
  });

  it("is what an overwriting create does", async () => {
    const before = await deployed(await fixture.imageOf(plane, "digits"));
    const imageId = await fixture.imageOf(plane, "digits");
    await expect(plane.services.create(ws(), { ...request, imageId })).rejects.toThrow("already exists");
    await plane.services.create(ws(), { ...request, imageId, overwrite: true, tags: { b: "c" } });
    await plane.settled("digits");
    const after = await plane.services.get(ws(), "digits");
    expect(after).toMatchObject({ id: before.id, tags: { b: "c" }, state: "Healthy" });
    expect(fixture.engine.images()).toEqual(["digits:2"]);
  });
});

describe("a deletion", () => {
  it("frees the name at once, while replicas of the old service still go away", async () => {
    const imageId = await fixture.imageOf(plane, "digits");
    const old = await deployed(imageId);
    const operationId = await plane.services.remove(ws(), "digits");
    await plane.services.create(ws(), { ...request, imageId });
    await plane.runner.waitForEnd(ws(), operationId ?? "");
    await plane.settled("digits");
    const service = await plane.services.get(ws(), "digits");
    expect(service.id).not.toBe(old.id);
    expect(service.state).toBe("Healthy");
    expect(fixture.engine.images()).toEqual([imageId]);
    expect(fixture.gateway.route("digits")?.replicas).toEqual([
      expect.objectContaining({ id: `${service.servingRevision}-0` }),
    ]);
    expect(await fixture.store.listDeleted()).toEqual([]);
  });

  it("ends a deploy that still runs", async () => {
    const starting = Promise.withResolvers<void>();
    fixture.engine.behaviour.afterStart = () => starting.promise;
    const imageId = await fixture.imageOf(plane, "digits");
    const { operationId } = await plane.services.create(ws(), { ...request, imageId });
    await eventually(() => expect(fixture.engine.images()).toEqual([imageId]));
    const deletion = await plane.services.remove(ws(), "digits");
    await expect(plane.services.get(ws(), "digits")).rejects.toThrow("no service digits");
    starting.resolve();
    expect((await plane.runner.waitForEnd(ws(), operationId ?? "")).status).toBe("Cancelled");
    expect((await plane.runner.waitForEnd(ws(), deletion ?? "")).status).toBe("Succeeded");
    expect(fixture.engine.images()).toEqual([]);
    expect(fixture.gateway.route("digits")).toBeUndefined();
  });

  it("of nothing is nothing", async () => {
    expect(await plane.services.remove(ws(), "digits")).toBeUndefined();
  });
});

/** The n-th checkpoint never returns: for everybody else this process is gone. */
function dyingAt(store: OperationStore, kind: string, n: number, written: boolean) {
  let count = 0;
  let mine: string | undefined;
  const died = Promise.withResolvers<void>();
  const dying: OperationStore = {
    ...store,
    async claim(owner, leaseMs) {
      const claim = await store.claim(owner, leaseMs);
      if (claim?.operation.kind === kind) mine = claim.operation.id;
      return claim;
    },
    async checkpoint(lease, step, state) {
      if (lease.operationId !== mine || count++ !== n) return store.checkpoint(lease, step, state);
      if (written) await store.checkpoint(lease, step, state);
      died.resolve();
      return new Promise(() => {});
    },
  };
  return { dying, died: died.promise };
}

describe("a control plane that dies", () => {
  const DEPLOY_CHECKPOINTS = 8;
  const DELETE_CHECKPOINTS = 4;
  const moments = (count: number) =>
    Array.from({ length: count }, (_, n) => [
      [n, false],
      [n, true],
    ]).flat() as [number, boolean][];

  async function dieDuring(kind: string, n: number, written: boolean, act: (doomed: ControlPlane) => Promise<unknown>) {
    await plane.stop();
    const { dying, died } = dyingAt(fixture.operationStore, kind, n, written);
    const doomed = fixture.controlPlane(dying);
    await doomed.runner.start();
    await act(doomed);
    await died;
    doomed.die();
    plane = fixture.controlPlane();
    await plane.runner.start();
  }

  it.each(moments(DEPLOY_CHECKPOINTS))(
    "at checkpoint %i of an update (written: %s) leaves nothing doubled",
    async (n, written) => {
      const first = await deployed(await fixture.imageOf(plane, "digits"));
      const imageId = await fixture.imageOf(plane, "digits");
      await dieDuring("service.deploy", n, written, (doomed) => doomed.services.update(ws(), "digits", { imageId }));
      expect((await plane.settled("digits")).status).toBe("Succeeded");
      const service = await plane.services.get(ws(), "digits");
      expect(service.state).toBe("Healthy");
      expect(fixture.engine.images()).toEqual(["digits:2"]);
      expect(fixture.engine.history.started).toEqual([first.servingRevision, service.servingRevision]);
      expect((await fixture.store.revisions(service.id)).map(({ number, state }) => [number, state])).toEqual([
        [2, "serving"],
        [1, "retired"],
      ]);
      expect(fixture.gateway.route("digits")?.replicas).toHaveLength(1);
      for (const { services } of fixture.gateway.snapshots.slice(1)) expect(services[0]?.replicas).toHaveLength(1);
    },
  );

  it.each(moments(DELETE_CHECKPOINTS))(
    "at checkpoint %i of a deletion (written: %s) deletes all the same",
    async (n, written) => {
      const service = await deployed(await fixture.imageOf(plane, "digits"));
      let operationId: string | undefined;
      await dieDuring("service.delete", n, written, async (doomed) => {
        operationId = await doomed.services.remove(ws(), "digits");
      });
      expect((await plane.runner.waitForEnd(ws(), operationId ?? "")).status).toBe("Succeeded");
      expect(fixture.engine.images()).toEqual([]);
      expect(await fixture.store.listDeleted()).toEqual([]);
      expect(await fixture.store.revisions(service.id)).toEqual([]);
      expect(fixture.gateway.route("digits")).toBeUndefined();
    },
  );

  it("while it puts a failed update away puts it away again", async () => {
    await deployed(await fixture.imageOf(plane, "digits"));
    const broken = await fixture.imageOf(plane, "digits");
    fixture.engine.behaviour.startFailures.set(broken, { code: "InitFailed", message: "init() raised." });
    await plane.stop();
    const reached = Promise.withResolvers<void>();
    const doomed = fixture.controlPlane({
      ...fixture.operationStore,
      finish() {
        reached.resolve();
        return new Promise(() => {});
      },
    });
    await doomed.runner.start();
    await doomed.services.update(ws(), "digits", { imageId: broken });
    await reached.promise;
    doomed.die();
    plane = fixture.controlPlane();
    await plane.runner.start();
    expect(await plane.settled("digits")).toMatchObject({ status: "Failed", error: { code: "InitFailed" } });
    expect(await plane.services.get(ws(), "digits")).toMatchObject({
      state: "Healthy",
      desired: { imageId: "digits:1" },
    });
    expect(fixture.engine.images()).toEqual(["digits:1"]);
    expect(fixture.gateway.route("digits")?.replicas).toHaveLength(1);
  });

  it("between start and answer of the engine adopts what it started", async () => {
    const imageId = await fixture.imageOf(plane, "digits");
    const started = Promise.withResolvers<void>();
    fixture.engine.behaviour.afterStart = () => {
      started.resolve();
      return new Promise(() => {});
    };
    await plane.services.create(ws(), { ...request, imageId });
    await started.promise;
    fixture.engine.behaviour.afterStart = async () => {};
    plane.die();
    plane = fixture.controlPlane();
    await plane.runner.start();
    expect((await plane.settled("digits")).status).toBe("Succeeded");
    expect(fixture.engine.history.started).toHaveLength(1);
  });
});
