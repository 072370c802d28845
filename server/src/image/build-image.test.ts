import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { Readable } from "node:stream";
import { buffer, json } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { need, type StepContext } from "../operation/index.ts";
import type { BuildImageInput, BuildImageState } from "./build-image.operation.ts";
import type { ImageRequest } from "./image.ts";
import { type ImageTestRoom, openImageTestRoom, tarGz } from "./image-test-room.ts";

interface Manifest {
  readonly mediaType: string;
  readonly config: { readonly digest: string; readonly size: number };
  readonly layers: readonly { readonly digest: string; readonly size: number; readonly mediaType: string }[];
}

describe("building an image", () => {
  let room: ImageTestRoom;
  beforeEach(async () => {
    room = await openImageTestRoom();
  });
  afterEach(() => room.close());

  const request = (change: Partial<ImageRequest> = {}): ImageRequest => ({
    ...{ name: "digits", modelIds: ["digits:1"], assets: [], ...change },
  });

  async function pullManifest(name: string, tag: string): Promise<Manifest> {
    const content = await room.registry.findManifest({ workspaceId: room.workspace.id, name }, tag);
    return (await json(Readable.from(content?.read() ?? []))) as Manifest;
  }

  it("makes an OCI image whose digests are true, and a bundle to run", async () => {
    await room.registerModel("digits", "digits.onnx", "an onnx graph", "Onnx");
    await room.runner.start();
    const { id } = await room.images.create(room.workspace.id, request());
    const image = await room.built(id);
    expect(image).toMatchObject({ id: "digits:1", state: "Succeeded", error: null });

    const repository = { workspaceId: room.workspace.id, name: "digits" };
    const content = await room.registry.findManifest(repository, "1");
    expect(content?.digest).toBe(image.digest);
    const manifest = await pullManifest("digits", "1");
    expect(manifest.layers.map((layer) => layer.mediaType)).toEqual(["application/vnd.oci.image.layer.v1.tar"]);
    for (const part of [manifest.config, ...manifest.layers]) {
      const blob = await room.registry.findBlob(repository, part.digest);
      const bytes = await buffer(Readable.from(blob?.read() ?? []));
      expect(bytes.length).toBe(part.size);
      expect(`sha256:${createHash("sha256").update(bytes).digest("hex")}`).toBe(part.digest);
    }

    const bundle = await room.images.bundle(room.workspace.id, id);
    expect(bundle).toMatchObject({
      ...{ imageId: "digits:1", imageDigest: image.digest, runtime: "onnx" },
      imageLocation: "slipway.test:8443/default/digits:1",
      models: [{ id: "digits:1", folder: `${bundle.appRoot}/azureml-models/digits/1` }],
      environmentVariables: { AML_APP_ROOT: bundle.appRoot },
    });
    expect(bundle.entryScript).toBeUndefined();
    await rm(bundle.appRoot, { recursive: true });
    expect(await room.images.bundle(room.workspace.id, id)).toEqual(bundle);
  });

  it("never makes the layer of an unchanged model again", async () => {
    await room.registerModel("digits", "digits.onnx", "an onnx graph", "Onnx");
    await room.runner.start();
    await room.images.create(room.workspace.id, request());
    await room.built("digits:1");
    const second = await room.images.create(room.workspace.id, request({ name: "other" }));
    await room.built("other:1");
    expect((await pullManifest("other", "1")).layers).toEqual((await pullManifest("digits", "1")).layers);
    expect(await room.images.buildLog(second.linkSecret)).toMatch(
      /Layer model digits:1: sha256:[0-9a-f]{12}, unchanged/,
    );
  });

  it("ends with the same image when every step is run twice", async () => {
    await room.registerModel("digits", "digits.onnx", "an onnx graph", "Onnx");
    const image = await room.images.create(room.workspace.id, request());
    const run = async (repeat: number) => {
      let state: Partial<BuildImageState> = {};
      for (const step of room.build.steps) {
        for (let time = 0; time < repeat; time++) state = { ...state, ...(await step.run(context(image.id, state))) };
      }
      return need(state, "digest");
    };
    expect(await run(2)).toBe(await run(1));
    expect((await room.images.get(room.workspace.id, image.id)).state).toBe("Succeeded");
    expect(await room.registry.tags({ workspaceId: room.workspace.id, name: "digits" })).toEqual(["1"]);
  });

  function context(imageId: string, state: Partial<BuildImageState>): StepContext<BuildImageInput, BuildImageState> {
    return {
      ...{ operationId: "1", workspaceId: room.workspace.id, input: { imageId, linkSecret: "" }, state },
      ...{ signal: new AbortController().signal, say: () => {} },
      follow: () => Promise.reject(new Error("A build follows nothing.")),
    };
  }

  it("takes up a build that was made before the process ended", async () => {
    await room.registerModel("digits", "digits.onnx", "an onnx graph", "Onnx");
    const { id, state } = await room.images.create(room.workspace.id, request());
    expect(state).toBe("NotStarted");
    await expect(room.images.bundle(room.workspace.id, id)).rejects.toMatchObject({ code: "ImageNotReady" });
    await room.runner.start();
    expect((await room.built(id)).state).toBe("Succeeded");
  });

  it("keeps the folder of deleted images as long as another has the same content", async () => {
    await room.registerModel("digits", "digits.onnx", "an onnx graph", "Onnx");
    await room.runner.start();
    const both = [
      await room.images.create(room.workspace.id, request()),
      await room.images.create(room.workspace.id, request({ name: "other" })),
    ];
    for (const { id } of both) await room.built(id);
    const { appRoot } = await room.images.bundle(room.workspace.id, "other:1");
    await room.images.delete(room.workspace.id, "digits:1");
    expect(existsSync(appRoot)).toBe(true);
    await room.images.delete(room.workspace.id, "other:1");
    expect(existsSync(appRoot)).toBe(false);
  });

  it("fails with the cause in image, operation and build log", async () => {
    const evil = await room.asset("code.tar.gz", "code.tar.gz", await tarGz([{ name: "../evil.py" }]), true);
    const driver = await room.asset("score.py", "score.py", "def init(): pass");
    await room.runner.start();
    const assets = [driver, evil];
    await room.images.create(room.workspace.id, request({ modelIds: [], driverProgram: "score.py", assets }));
    const image = await room.built("digits:1");
    expect(image).toMatchObject({ state: "Failed", error: { code: "ArchiveMemberRefused" }, digest: null });
    const operation = await room.operations.find(room.workspace.id, image.operationId);
    expect(operation).toMatchObject({ status: "Failed", error: { code: "ArchiveMemberRefused", statusCode: 400 } });
    expect(await room.images.buildLog(image.linkSecret)).toMatch(/T\S+Z The build ended: .*"\.\.\/evil\.py"/);
    expect(await room.images.dockerfile(image.linkSecret)).toContain("Failed");
    await expect(room.images.bundle(room.workspace.id, image.id)).rejects.toMatchObject({
      ...{ code: "ImageNotReady", kind: "conflict" },
      message: expect.stringContaining("evil.py"),
    });
  });

  it("fails when an asset was never uploaded, naming it", async () => {
    const url = "aml://artifact/LocalUpload/12345678/score.py";
    await room.artifacts.reserve(room.workspace.id, "LocalUpload", "12345678", [{ path: "score.py" }]);
    const assets = [{ id: "driver", url, mimeType: "text/plain", unpack: false }];
    await room.runner.start();
    await room.images.create(room.workspace.id, request({ modelIds: [], driverProgram: "driver", assets }));
    expect((await room.built("digits:1")).error).toMatchObject({
      code: "ArtifactNotUploaded",
      message: expect.stringContaining("score.py"),
    });
  });

  it("ends a build whose image is deleted under it", async () => {
    await room.registerModel("digits", "digits.onnx", "an onnx graph", "Onnx");
    const { id, operationId } = await room.images.create(room.workspace.id, request());
    await room.images.delete(room.workspace.id, id);
    await room.runner.start();
    const { status } = await room.runner.waitForEnd(room.workspace.id, operationId, AbortSignal.timeout(50_000));
    expect(status).toBe("Cancelled");
    await expect(room.images.get(room.workspace.id, id)).rejects.toMatchObject({ code: "ImageNotFound" });
    expect(await room.registry.tags({ workspaceId: room.workspace.id, name: "digits" })).toEqual([]);
    expect((await room.images.create(room.workspace.id, request())).id).toBe("digits:2");
  });
});
