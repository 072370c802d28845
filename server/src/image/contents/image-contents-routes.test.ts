import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { json, text } from "node:stream/consumers";
import type { WireImageComparison, WireImageContents } from "@slipway/api";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createHttpApp, type HttpApp } from "../../platform/http/app.ts";
import { handleErrors, modelManagementEnvelope } from "../../platform/http/error-handler.ts";
import { silentLog } from "../../platform/log.ts";
import { type ImageTestRoom, openImageTestRoom } from "../image-test-room.ts";
import { imageContentsRoutes } from "./image-contents-routes.ts";
import { createImageInspector } from "./image-inspector.ts";

describe("looking into images", () => {
  let room: ImageTestRoom;
  let app: HttpApp;
  beforeEach(async () => {
    room = await openImageTestRoom();
    app = createHttpApp() as HttpApp;
    handleErrors(app, modelManagementEnvelope, silentLog);
    app.decorateRequest("workspaceScope", undefined);
    app.addHook("preHandler", async (request) => {
      request.workspaceScope = room.workspace;
    });
    const { database, registry, folders, proofs, images } = room;
    const inspector = createImageInspector({ database, registry, folders, proofs });
    imageContentsRoutes(app, { images, inspector, publicUrl: "https://slipway.test:8443" });
    await room.registerModel("digits", "digits.onnx", "an onnx graph", "Onnx");
    await room.runner.start();
  });
  afterEach(async () => {
    await app.close();
    await room.close();
  });

  async function build(name: string, modelIds: readonly string[], variables: Record<string, string> = {}) {
    const request = { name, modelIds, assets: [], environmentVariables: variables };
    return room.built((await room.images.create(room.workspace.id, request)).id);
  }
  const get = (url: string) => app.inject({ url });
  const contents = async (id: string): Promise<WireImageContents> => (await get(`/images/${id}/contents`)).json();

  it("names layers, models and proofs, and how many other images share a layer", async () => {
    const image = await build("digits", ["digits:1"], { LOG: "1" });
    await build("other", ["digits:1"]);
    const found = await contents("digits:1");
    expect(found).toMatchObject({
      ...{ imageId: "digits:1", digest: image.digest, runtime: "onnx", driver: null, python: null, environment: null },
      models: [{ id: "digits:1", name: "digits", version: 1, files: 1, sizeBytes: 13 }],
      ...{ code: [], environmentVariables: { LOG: "1" } },
    });
    const model = found.layers.find((layer) => layer.kind === "model");
    expect(model).toMatchObject({ title: "model digits:1", sharedWith: 1 });
    expect(model?.sizeBytes).toBeGreaterThan(13);
    expect(found.proofs.map((proof) => proof.type)).toEqual(["sbom", "provenance"]);
  });

  it("keeps proofs as referrers of the manifest, whose documents are served as they are stored", async () => {
    const image = await build("digits", ["digits:1"]);
    const repository = { workspaceId: room.workspace.id, name: "digits" };
    const referrers = await room.registry.referrers(repository, image.digest ?? "");
    expect(referrers.map(({ artifactType }) => artifactType).sort()).toEqual([
      "application/vnd.cyclonedx+json",
      "application/vnd.in-toto+json",
    ]);
    for (const [type, artifactType] of [
      ["sbom", "application/vnd.cyclonedx+json"],
      ["provenance", "application/vnd.in-toto+json"],
    ]) {
      const digest = referrers.find((one) => one.artifactType === artifactType)?.digest ?? "";
      const manifest = await room.registry.findManifest(repository, digest);
      const { subject, layers } = (await json(Readable.from(manifest?.read() ?? []))) as {
        readonly subject: { readonly digest: string };
        readonly layers: readonly { readonly digest: string }[];
      };
      expect(subject.digest).toBe(image.digest);
      const blob = await room.registry.findBlob(repository, layers[0]?.digest ?? "");
      const answer = await get(`/images/digits:1/proofs/${type}`);
      expect(answer.headers["content-type"]).toContain(artifactType);
      expect(answer.body).toBe(await text(Readable.from(blob?.read() ?? [])));
    }
    const statement = (await get("/images/digits:1/proofs/provenance")).json();
    expect(statement.subject).toEqual([{ name: "digits", digest: { sha256: image.digest?.replace("sha256:", "") } }]);
    const { body } = await get("/images/digits:1/proofs/sbom");
    expect(statement.predicate.runDetails.byproducts).toEqual([
      { name: "sbom.cdx.json", digest: { sha256: createHash("sha256").update(body).digest("hex") } },
    ]);
  });

  it("serves what the build wrote, whatever others attach", async () => {
    const image = await build("digits", ["digits:1"]);
    const before = await get("/images/digits:1/proofs/sbom");
    const repository = { workspaceId: room.workspace.id, name: "digits" };
    const subject = await room.registry.findManifest(repository, image.digest ?? "");
    if (subject === undefined) throw new Error("The image has no manifest.");
    const mediaType = "application/vnd.cyclonedx+json";
    for (let count = 0; count < 5; count++) {
      const document = Buffer.from(JSON.stringify({ forged: count }));
      await room.registry.attach(repository, subject, { artifactType: mediaType, mediaType, document });
    }
    expect(await room.registry.referrers(repository, subject.digest, mediaType)).toHaveLength(6);
    expect((await get("/images/digits:1/proofs/sbom")).body).toBe(before.body);
    expect((await contents("digits:1")).proofs).toHaveLength(2);
  });

  it("says what differs between two images", async () => {
    await room.registerModel("digits", "digits.onnx", "a better graph", "Onnx");
    await build("digits", ["digits:1"], { LOG: "1", OLD: "x" });
    await build("digits", ["digits:2"], { LOG: "2", NEW: "x" });
    const answer = await get("/images/digits:1/comparison?to=digits:2");
    expect(answer.json<WireImageComparison>()).toMatchObject({
      ...{ from: { imageId: "digits:1" }, to: { imageId: "digits:2" }, packages: [], code: [], settings: [] },
      models: [{ name: "digits", from: "1", to: "2" }],
      environmentVariables: [
        { name: "LOG", from: "1", to: "2" },
        { name: "NEW", from: null, to: "x" },
        { name: "OLD", from: "x", to: null },
      ],
    });
    const same = (await get("/images/digits:1/comparison?to=digits:1")).json<WireImageComparison>();
    expect(same.sharedBytes).toBe(same.from.sizeBytes);
    expect([...same.packages, ...same.models, ...same.code, ...same.environmentVariables]).toEqual([]);
  });

  it("builds the next version from the same inputs, whatever was registered since", async () => {
    const first = await build("digits", ["digits:1"], { LOG: "1" });
    await room.registerModel("digits", "digits.onnx", "a better graph", "Onnx");
    const answer = await app.inject({ method: "POST", url: "/images/digits:1/rebuild", payload: {} });
    expect(answer.statusCode).toBe(202);
    expect(answer.json()).toMatchObject({ id: "digits:2", creationState: "NotStarted", modelIds: ["digits:1"] });
    const operationId = String(answer.headers["operation-location"]).split("/").at(-1);
    expect((await room.images.get(room.workspace.id, "digits:2")).operationId).toBe(operationId);
    const second = await room.built("digits:2");
    expect(second).toMatchObject({ state: "Succeeded", error: null, environmentVariables: { LOG: "1" } });
    expect(second.properties["slipway.rebuilt-from"]).toBe("digits:1");
    const [before, after] = [await contents("digits:1"), await contents("digits:2")];
    expect(after.layers.map((layer) => layer.digest)).toEqual(before.layers.map((layer) => layer.digest));
    expect(first.properties["slipway.rebuilt-from"]).toBeUndefined();
  });

  it("answers in words what is not there", async () => {
    await room.runner.stop();
    await room.images.create(room.workspace.id, { name: "late", modelIds: ["digits:1"], assets: [] });
    const cases = [
      ["/images/no:1/contents", 404, "ImageNotFound"],
      ["/images/late:1/contents", 409, "ImageNotBuilt"],
      ["/images/late:1/comparison?to=late:1", 409, "ImageNotBuilt"],
      ["/images/late:1/proofs/sbom", 409, "ImageNotBuilt"],
      ["/images/late:1/proofs/signature", 400, "InvalidRequest"],
      ["/images/late:1/comparison", 400, "InvalidRequest"],
    ] as const;
    for (const [url, statusCode, code] of cases) {
      const answer = await get(url);
      expect([url, answer.statusCode, answer.json().code]).toEqual([url, statusCode, code]);
    }
    const rebuild = await app.inject({ method: "POST", url: "/images/no:1/rebuild", payload: {} });
    expect(rebuild.statusCode).toBe(404);
    const wrong = await app.inject({ method: "POST", url: "/images/late:1/rebuild", payload: { upgrade: "maybe" } });
    expect(wrong.statusCode).toBe(400);
  });

  it("gives out no file that is not code of the image", async () => {
    await build("digits", ["digits:1"]);
    for (const path of ["../../../etc/passwd", "azureml-models/digits/1/digits.onnx", "/etc/passwd"]) {
      const answer = await get(`/images/digits:1/code?path=${encodeURIComponent(path)}`);
      expect([path, answer.json().code]).toEqual([path, "CodeFileNotFound"]);
    }
  });
});
