import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type DebianRegistry, startDebianRegistry } from "../registry/remote/test/debian-registry.ts";
import { type ImageTestRoom, openImageTestRoom } from "./image-test-room.ts";

// Needs Debian's docker-registry.
describe("an image that is pushed to another registry", () => {
  let registry: DebianRegistry;
  let room: ImageTestRoom;
  beforeAll(async () => {
    registry = await startDebianRegistry({ tls: true });
    room = await openImageTestRoom({ ca: registry.ca === undefined ? [] : [registry.ca] });
    await room.runner.start();
    await room.registerModel("words", "model.onnx", "x".repeat(3_000_000));
    const image = await room.images.create(room.workspace.id, { name: "words", modelIds: ["words:1"], assets: [] });
    expect((await room.built(image.id)).state).toBe("Succeeded");
  });
  afterAll(async () => {
    await room.close();
    await registry.close();
  });

  async function push(reference: string, credentials?: DebianRegistry["credentials"]) {
    const id = await room.pusher.push(room.workspace.id, "words:1", reference, credentials);
    await room.runner.waitForEnd(room.workspace.id, id, AbortSignal.timeout(60_000));
    const log = await room.operations.log(id);
    return {
      operation: await room.operations.find(room.workspace.id, id),
      log: log.map(({ text }) => text).join("\n"),
    };
  }

  it("is the same there, byte for byte, and can be a base from then on", async () => {
    const first = await push(`${registry.host}/team/words:1`, registry.credentials);
    expect(first.operation?.status, first.log).toBe("Succeeded");
    expect(first.log).toMatch(/MB sent/);
    const image = await room.images.get(room.workspace.id, "words:1");
    expect(image.properties["slipway.pushed"]).toBe(`${registry.host}/team/words:1@${image.digest}`);

    const base = await room.bases.resolve({
      workspaceId: room.workspace.id,
      reference: `${registry.host}/team/words@${image.digest}`,
      credentials: registry.credentials,
      architecture: image.targetRuntime.targetArchitecture,
      signal: AbortSignal.timeout(60_000),
    });
    expect(base.digest).toBe(image.digest);
    expect(base.layers.length).toBeGreaterThan(0);

    const again = await push(`${registry.host}/team/words:newest`, registry.credentials);
    expect(again.log).not.toMatch(/MB sent/);
    expect((await room.images.get(room.workspace.id, "words:1")).properties["slipway.pushed"]?.split(" ")).toHaveLength(
      2,
    );
  });

  it("is refused with a wrong password, and the password is nowhere to be seen", async () => {
    const { operation, log } = await push(`${registry.host}/team/words:2`, {
      username: "ada",
      password: "not-the-one",
    });
    expect(operation?.status).toBe("Failed");
    expect(operation?.error?.code).toBe("RegistryAccessDenied");
    expect(JSON.stringify([operation, log])).not.toContain("not-the-one");
  });

  it("is refused at once when it is not there, or the place has no name", async () => {
    const to = (imageId: string, reference: string) => room.pusher.push(room.workspace.id, imageId, reference);
    await expect(to("words:9", `${registry.host}/a`)).rejects.toMatchObject({ code: "ImageNotFound" });
    await expect(to("words:1", "https://somewhere/a")).rejects.toMatchObject({ code: "ReferenceInvalid" });
  });
});
