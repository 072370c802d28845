import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { toEmbeddedWireModel } from "../model/index.ts";
import { createHttpApp, type HttpApp } from "../platform/http/app.ts";
import { handleErrors, modelManagementEnvelope } from "../platform/http/error-handler.ts";
import { silentLog } from "../platform/log.ts";
import { describeImageBuild, imageLinkRoutes, imageRoutes } from "./image-routes.ts";
import { type ImageTestRoom, openImageTestRoom } from "./image-test-room.ts";

const PUBLIC_URL = "https://slipway.test:8443";

describe("the wire of images", () => {
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
    const { images, models } = room;
    imageRoutes(app, { images, models, toWireModel: toEmbeddedWireModel, publicUrl: PUBLIC_URL });
    imageLinkRoutes(app, { images });
    await room.registerModel("digits", "digits.onnx", "an onnx graph", "Onnx");
  });
  afterEach(async () => {
    await app.close();
    await room.close();
  });

  const body = (change: Record<string, unknown> = {}) => ({
    ...{ name: "digits", description: "Reads digits", tags: null, properties: {}, kvTags: { data: "mnist" } },
    ...{ modelIds: ["digits:1"], assets: [], driverProgram: null, dockerFileUri: null, imageType: "Docker" },
    ...{ targetRuntime: { runtimeType: "Python", targetArchitecture: "amd64", properties: {} } },
    ...{ imageFlavor: "WebApiContainer", ...change },
  });
  const post = (payload: object) => app.inject({ method: "POST", url: "/images", payload });
  const get = async (url: string) => (await app.inject({ url })).json();

  it("answers a create with 202 and an operation that names the image at once", async () => {
    const response = await post(body());
    expect(response.statusCode).toBe(202);
    const operationId = String(response.headers["operation-location"]).split("/").at(-1) ?? "";
    const operation = await room.operations.find(room.workspace.id, operationId);
    if (operation === undefined) throw new Error("There is no operation.");
    const description = await describeImageBuild(PUBLIC_URL)(operation, room.workspace);
    expect(description.resourceLocation).toMatch(/^subscriptions\/.*\/images\/digits:1$/);
    const log = await app.inject({ url: new URL(description.operationLog ?? "").pathname });
    expect(log).toMatchObject({ statusCode: 200, body: "" });
  });

  it("has every key that the genuine client reads, models only when expanded", async () => {
    await post(body());
    const image = await get("/images/digits:1?expand=true");
    expect(image).toMatchObject({
      ...{ id: "digits:1", name: "digits", version: 1, description: "Reads digits", kvTags: { data: "mnist" } },
      ...{ properties: {}, creationState: "NotStarted", error: null, imageType: "Docker", modelIds: ["digits:1"] },
      ...{ imageFlavor: "WebApiContainer", driverProgram: null, assets: [], imageDigest: null },
      imageLocation: "slipway.test:8443/default/digits:1",
      targetRuntime: { runtimeType: "Python", targetArchitecture: "amd64", properties: {} },
      modelDetails: [{ id: "digits:1", tags: {}, kvTags: {} }],
    });
    expect(image.createdTime).toMatch(/Z$/);
    expect(image.imageBuildLogUri).toMatch(/^https:\/\/slipway\.test:8443\/links\/images\/[\w-]{43}\/build\.log$/);
    expect(await get("/images/digits%3A1")).not.toHaveProperty("modelDetails");
  });

  it("counts versions up, also with many creates at once, and gives none out twice", async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => post(body())));
    expect(new Set(answers.map((answer) => answer.json().version))).toEqual(new Set([1, 2, 3, 4, 5, 6, 7, 8]));
    expect((await app.inject({ method: "DELETE", url: "/images/digits:8" })).statusCode).toBe(200);
    expect((await post(body())).json().id).toBe("digits:9");
    expect((await post(body({ name: "other" }))).json().id).toBe("other:1");
  });

  it("lists newest first with every filter, without a nextLink on the last page", async () => {
    await room.registerModel("digits", "digits.onnx", "another graph", "Onnx");
    await room.registerModel("digits-large", "large.onnx", "a large graph", "Onnx");
    await post(body());
    await post(body({ modelIds: ["digits:2"], kvTags: { data: "mnist", stage: "test" } }));
    await post(body({ name: "other", modelIds: ["digits-large:1"], properties: { team: "a=b" }, kvTags: null }));
    const ids = async (query: string) => {
      const page = await get(`/images?${query}`);
      expect(page).not.toHaveProperty("nextLink");
      return page.value.map((image: { id: string }) => image.id);
    };
    expect(await ids("expand=true")).toEqual(["other:1", "digits:2", "digits:1"]);
    expect(await ids("orderBy=CreatedAtAsc")).toEqual(["digits:1", "digits:2", "other:1"]);
    expect(await ids("name=digits&orderBy=CreatedAtDesc&count=1&expand=true")).toEqual(["digits:2"]);
    expect(await ids("name=digits&version=1")).toEqual(["digits:1"]);
    expect(await ids("modelName=digits")).toEqual(["digits:2", "digits:1"]);
    expect(await ids("modelId=digits:2")).toEqual(["digits:2"]);
    expect(await ids("tags=data%3Dmnist,stage")).toEqual(["digits:2"]);
    expect(await ids("tags=data%3Dother")).toEqual([]);
    expect(await ids("properties=team%3Da%3Db")).toEqual(["other:1"]);
    expect(await ids("name=nobody")).toEqual([]);
  });

  it("pages through many images by links that can be followed as they stand", async () => {
    for (let count = 0; count < 205; count++) await post(body());
    const first = await get("/images?name=digits&expand=false");
    expect(first.value).toHaveLength(200);
    const next = new URL(first.nextLink);
    expect(next.origin).toBe(PUBLIC_URL);
    await app.inject({ method: "DELETE", url: `/images/${first.value.at(-1).id}` });
    await post(body());
    const second = await get(next.pathname + next.search);
    expect(second.value.map((image: { version: number }) => image.version)).toEqual([5, 4, 3, 2, 1]);
    expect(second).not.toHaveProperty("nextLink");
  });

  it("replaces tags, adds properties and refuses everything else", async () => {
    await post(body({ properties: { a: "1" } }));
    const patch = (payload: object[]) => app.inject({ method: "PATCH", url: "/images/digits:1", payload });
    const changed = await patch([
      { op: "replace", path: "/kvTags", value: { x: "y" } },
      { op: "add", path: "/properties", value: { b: "2" } },
    ]);
    expect(changed.json()).toMatchObject({ kvTags: { x: "y" }, properties: { a: "1", b: "2" } });
    for (const wrong of [
      { op: "replace", path: "/name", value: "x" },
      { op: "remove", path: "/kvTags" },
      { op: "replace", path: "/kvTags", value: { x: 1 } },
      { op: "replace", path: "/kvTags", value: ["x"] },
    ]) {
      const answer = await patch([wrong]);
      expect(answer.statusCode).toBe(400);
      expect(answer.json().code).toBe("ImagePatchInvalid");
    }
  });

  it("keeps an image that a service uses, and names the service", async () => {
    await post(body());
    room.users.push("service digits-service");
    const refused = await app.inject({ method: "DELETE", url: "/images/digits:1" });
    expect(refused.statusCode).toBe(412);
    expect(refused.json().message).toContain("service digits-service");
    room.users.length = 0;
    expect((await app.inject({ method: "DELETE", url: "/images/digits:1" })).statusCode).toBe(200);
    expect((await app.inject({ method: "DELETE", url: "/images/digits:1" })).statusCode).toBe(404);
  });

  it("knows who uses a model", async () => {
    await post(body());
    expect(await room.images.usersOfModel(room.workspace.id, "digits:1")).toEqual(["image digits:1"]);
    expect(await room.images.usersOfModel(room.workspace.id, "digits:11")).toEqual([]);
  });

  it.each([
    ["a name with capitals", { name: "Digits" }, 400, "ImageNameInvalid"],
    ["a name too long", { name: "d".repeat(33) }, 400, "ImageNameInvalid"],
    ["a name that no registry takes", { name: "di..gits" }, 400, "ImageNameInvalid"],
    ["a name that is a path", { name: "../digits" }, 400, "ImageNameInvalid"],
    ["no name", { name: undefined }, 400, "InvalidRequest"],
    ["a mistyped field", { modelIds: "digits:1" }, 400, "InvalidRequest"],
    ["an unknown model", { modelIds: ["digits:9"] }, 404, "ModelNotFound"],
    ["nothing to run", { modelIds: [] }, 400, "NothingToRun"],
    ["files without a driver", { assets: [{ id: "a", url: "aml://artifact/x/y/z" }] }, 400, "DriverMissing"],
    ["an asset from elsewhere", { assets: [{ id: "a", url: "https://evil/x.py" }] }, 400, "AssetInvalid"],
    ["Docker steps that were not uploaded", { dockerFileUri: "aml://artifact/x/y/z" }, 404, "ArtifactNotFound"],
  ])("refuses %s", async (_what, change, statusCode, code) => {
    const answer = await post(body(change));
    expect(answer.json()).toMatchObject({ statusCode, code });
    expect(answer.statusCode).toBe(statusCode);
    expect((await get("/images")).value).toEqual([]);
  });

  it("refuses a model that needs a script when there is none", async () => {
    await room.registerModel("forest", "forest.pkl", "pickled", "ScikitLearn");
    const answer = await post(body({ modelIds: ["forest:1"] }));
    expect(answer.json()).toMatchObject({ statusCode: 400, code: "ScriptNeeded" });
  });

  it("opens no link without its secret", async () => {
    await post(body());
    const guess = await app.inject({ url: `/links/images/${"a".repeat(43)}/build.log` });
    expect(guess.statusCode).toBe(404);
  });
});
