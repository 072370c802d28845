import { EmbeddedWireModel, WireModel, type WireModelPage } from "@slipway/api";
import { Check } from "typebox/value";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ModelTestRoom, openModelRoom } from "./model-test-room.ts";
import { toEmbeddedWireModel } from "./model-wire.ts";

let room: ModelTestRoom;
beforeEach(async () => {
  room = await openModelRoom();
});
afterEach(() => room.close());

const get = (url: string, workspace = "ws1") => room.app.inject({ url, headers: { workspace } });
async function ids(query: string): Promise<string[]> {
  const answer = await get(`/models${query}`);
  expect(answer.statusCode, answer.body).toBe(200);
  return answer.json().value.map((model: { id: string }) => model.id);
}
const patch = (id: string, operations: unknown) =>
  room.app.inject({
    method: "PATCH",
    url: `/models/${id}`,
    headers: { "content-type": "application/json-patch+json" },
    payload: JSON.stringify(operations),
  });

describe("registering", () => {
  it("answers every field the client demands, with its own id and version", async () => {
    const model = await room.register({
      name: "Mymodel",
      description: "test",
      kvTags: { key: 0.1, flag: true },
      properties: { p: "1" },
      framework: "ScikitLearn",
      frameworkVersion: "1.3",
      resourceRequirements: { cpu: 1, memoryInGB: 0.5 },
      datasets: [{ name: "training", id: "d1" }],
    });
    expect(model).toEqual({
      id: "Mymodel:1",
      name: "Mymodel",
      version: 1,
      framework: "ScikitLearn",
      frameworkVersion: "1.3",
      datasets: [{ name: "training", id: "d1" }],
      url: expect.stringMatching(/^aml:\/\/asset\/[0-9a-f]{32}$/),
      mimeType: "application/json",
      description: "test",
      createdTime: room.clock.now().toISOString(),
      modifiedTime: room.clock.now().toISOString(),
      unpack: false,
      parentModelId: null,
      runId: null,
      experimentName: null,
      kvTags: { key: "0.1", flag: "true" },
      properties: { p: "1" },
      derivedModelIds: [],
      sampleInputData: null,
      sampleOutputData: null,
      resourceRequirements: { cpu: 1, memoryInGB: 0.5, gpu: null },
      createdBy: expect.objectContaining({ userName: "slipway" }),
    });
    expect(Check(WireModel, model)).toBe(true);
    const embedded = toEmbeddedWireModel(await room.models.get("ws1", "Mymodel:1"));
    expect(Check(EmbeddedWireModel, embedded)).toBe(true);
    expect(embedded.tags).toEqual(model.kvTags);
  });

  it("fills in what a client leaves out", async () => {
    const model = await room.register({ name: "m" });
    expect(model).toMatchObject({ framework: "Custom", kvTags: {}, properties: {}, datasets: [], description: null });
  });

  it("counts versions up per name and workspace, also at once, and never gives one twice", async () => {
    const versions = await Promise.all([1, 2, 3, 4].map(async () => (await room.register({ name: "m" })).version));
    expect(versions.sort()).toEqual([1, 2, 3, 4]);
    expect((await room.register({ name: "other" })).id).toBe("other:1");
    await room.app.inject({ method: "DELETE", url: "/models/m:4" });
    expect((await room.register({ name: "m" })).id).toBe("m:5");
  });

  it("repeated with the same request id makes one model; with other content it makes another", async () => {
    const url = `aml://asset/${await room.asset([{ prefix: `${await room.upload({ m: "x" })}/m` }])}`;
    const headers = { "x-ms-client-request-id": "0b1f" };
    const first = await room.post({ name: "m", url }, headers);
    const again = await room.post({ name: "m", url }, headers);
    expect(again.json()).toEqual(first.json());
    expect((await room.post({ name: "m", url, description: "x" }, headers)).json().version).toBe(2);
    expect((await room.post({ name: "m", url })).json().version).toBe(3);
    const payload = { name: "a", artifacts: [{ prefix: "LocalUpload/c/m" }] };
    const assets = await Promise.all(
      [1, 2].map(() => room.app.inject({ method: "POST", url: "/assets", payload, headers })),
    );
    expect(assets[0]?.json()).toEqual(assets[1]?.json());
  });

  it.each(["", "a b", "a/b", "ü", "..", ".", "a:1", "x".repeat(256)])("refuses the name %j", async (name) => {
    const answer = await room.post({ name, url: "aml://asset/x" });
    expect(answer.statusCode).toBe(400);
    expect(answer.json()).toMatchObject({ code: "ModelNameInvalid", statusCode: 400 });
  });

  it.each([
    [{ url: "aml://asset/x" }, "name"],
    [{ name: 5, url: "aml://asset/x" }, "body.name must be string"],
    [{ name: "m", url: "aml://asset/x", unpack: "yes" }, "body.unpack"],
    [{ name: "m", url: "aml://asset/x", kvTags: { a: {} } }, "body.kvTags.a"],
    [{ name: "m", url: "aml://asset/x", kvTags: { a: null } }, "body.kvTags.a"],
    [{ name: "m", url: "aml://asset/x", kvTags: [] }, "body.kvTags"],
    [{ name: "m", url: "aml://asset/x", kvTags: { "": "x" } }, "kvTags."],
    [{ name: "m", url: "aml://asset/x", resourceRequirements: { cpu: "1" } }, "body.resourceRequirements.cpu"],
    [{ name: "m", url: "aml://asset/x", resourceRequirements: { cpu: -1 } }, "body.resourceRequirements.cpu"],
    [{ name: "m", url: "aml://asset/x", datasets: [{ name: "x" }] }, "body.datasets"],
    [{ name: "m", url: "https://elsewhere/m.pkl" }, '"url"'],
    [{ name: "m", url: "aml://asset/0123" }, "no asset"],
    [[], "body"],
  ])("names the field that is wrong: %j", async (payload, part) => {
    const answer = await room.post(payload);
    expect(answer.statusCode).toBe(400);
    expect(answer.json().message).toContain(part);
    expect(answer.json().statusCode).toBe(400);
  });

  it("refuses files of 0 bytes, naming them, but not those that are empty by convention", async () => {
    const attempt = async (files: Record<string, string | null>, prefix: string) => {
      const url = `aml://asset/${await room.asset([{ prefix: `${await room.upload(files)}/${prefix}` }])}`;
      return room.post({ name: "m", url });
    };
    const single = await attempt({ "model.pkl": "" }, "model.pkl");
    expect(single.statusCode).toBe(400);
    expect(single.json()).toMatchObject({ code: "ModelFileEmpty", message: expect.stringContaining('"model.pkl"') });
    const folder = await attempt({ "d/a": "x", "d/sub/weights.bin": "", "d/__init__.py": "" }, "d");
    expect(folder.json().message).toContain('"d/sub/weights.bin"');
    expect(folder.json().message).not.toContain("__init__");
    expect((await attempt({ "__init__.py": "" }, "__init__.py")).statusCode).toBe(400);
    expect((await attempt({ "d/a": "x", "d/__init__.py": "", "d/.gitkeep": "" }, "d")).statusCode).toBe(200);
  });

  it("refuses what was never uploaded, and other workspaces' assets", async () => {
    const id = await room.asset([{ prefix: `${await room.upload({ "d/a": "x", "d/b": null })}/d` }]);
    const pending = await room.post({ name: "m", url: `aml://asset/${id}` });
    expect(pending.statusCode).toBe(400);
    expect(pending.json().message).toContain("d/b");
    const nothing = await room.asset([{ prefix: "LocalUpload/nowhere/m" }]);
    const missing = await room.post({ name: "m", url: `aml://asset/${nothing}` });
    expect(missing.json()).toMatchObject({ code: "ModelFilesMissing", statusCode: 400 });
    const own = await room.asset([{ prefix: `${await room.upload({ m: "x" })}/m` }]);
    expect((await room.post({ name: "m", url: `aml://asset/${own}` }, { workspace: "ws2" })).statusCode).toBe(400);
    expect((await get("/models")).json().value).toEqual([]);
  });
});

describe("assets", () => {
  it("are read back, and unknown ones say so in the body's statusCode", async () => {
    const id = await room.asset([{ prefix: "LocalUpload/c/m" }, { id: "LocalUpload/c/n" }]);
    expect((await get(`/assets/${id}`)).json()).toMatchObject({
      id,
      name: "asset",
      artifacts: [{ prefix: "LocalUpload/c/m" }, { id: "LocalUpload/c/n" }],
    });
    const unknown = await get("/assets/0123");
    expect([unknown.statusCode, unknown.json().statusCode, unknown.json().code]).toEqual([404, 404, "AssetNotFound"]);
    expect((await get(`/assets/${id}`, "ws2")).statusCode).toBe(404);
  });

  it.each([
    [{ name: "a", artifacts: [] }],
    [{ name: "a", artifacts: [{}] }],
    [{ name: "a", artifacts: [{ prefix: "../../etc" }] }],
    [{ name: "a", artifacts: [{ prefix: 1 }] }],
    [{ artifacts: [{ prefix: "LocalUpload/c/m" }] }],
  ])("refuse %j", async (payload) => {
    expect((await room.app.inject({ method: "POST", url: "/assets", payload })).statusCode).toBe(400);
  });
});

describe("reading", () => {
  it("takes the id raw and encoded", async () => {
    await room.register({ name: "My.model_x-1" });
    for (const id of ["My.model_x-1:1", "My.model_x-1%3A1"])
      expect((await get(`/models/${id}`)).json().id).toBe("My.model_x-1:1");
  });

  it.each(["nope:1", "m:2", "m", "m:0", "m:01", "m:1:1", "m:9999999999", "..%2Fx", "%00"])(
    "answers 404 for %j, with statusCode in the body",
    async (id) => {
      await room.register({ name: "m" });
      const answer = await get(`/models/${id}`);
      expect(answer.statusCode).toBe(404);
      expect(answer.json()).toMatchObject({ code: "ModelNotFound", statusCode: 404 });
    },
  );

  it("shows nothing of another workspace", async () => {
    await room.register({ name: "m" });
    expect((await get("/models/m:1", "ws2")).statusCode).toBe(404);
    expect((await get("/models", "ws2")).json().value).toEqual([]);
    await room.app.inject({ method: "DELETE", url: "/models/m:1", headers: { workspace: "ws2" } });
    expect((await get("/models/m:1")).statusCode).toBe(200);
  });

  it("names the models made from one", async () => {
    await room.register({ name: "parent" });
    await room.register({ name: "child", parentModelId: "parent:1" });
    expect((await get("/models/parent:1")).json().derivedModelIds).toEqual(["child:1"]);
  });
});

describe("listing", () => {
  beforeEach(async () => {
    const models = [
      { name: "a", kvTags: { area: "x", n: "1" }, framework: "Onnx", runId: "r1" },
      { name: "a", kvTags: { area: "y=z" }, properties: { p: "q" }, datasets: [{ name: "t", id: "d1" }] },
      { name: "b", kvTags: { area: "x", "50%": "_" } },
      { name: "b", properties: { area: "x" } },
    ];
    for (const model of models) {
      await room.register(model);
      room.clock.advance(1_000);
    }
  });

  it.each([
    ["", ["b:2", "b:1", "a:2", "a:1"]],
    ["?name=a", ["a:2", "a:1"]],
    ["?name=A", []],
    ["?name=a&count=1", ["a:2"]],
    ["?latestVersionOnly=true", ["b:2", "a:2"]],
    ["?latestVersionOnly=True&tags=area", ["a:2"]],
    ["?latestVersionOnly=false&count=255", ["b:2", "b:1", "a:2", "a:1"]],
    ["?tags=area", ["b:1", "a:2", "a:1"]],
    ["?tags=area=x", ["b:1", "a:1"]],
    ["?tags=area%3Dx%2Cn", ["a:1"]],
    ["?tags=area=y=z", ["a:2"]],
    ["?tags=area=%25", []],
    ["?tags=50%25=_", ["b:1"]],
    ["?properties=area=x", ["b:2"]],
    ["?properties=p&tags=area", ["a:2"]],
    ["?framework=Onnx", ["a:1"]],
    ["?runId=r1", ["a:1"]],
    ["?datasetId=d1", ["a:2"]],
    ["?orderBy=CreatedAtAsc", ["a:1", "a:2", "b:1", "b:2"]],
    ["?offset=1&count=2", ["b:1", "a:2"]],
  ])("by %j", async (query, expected) => {
    expect(await ids(query)).toEqual(expected);
  });

  it.each([
    "?count=many",
    "?count=-1",
    "?orderBy=Name",
    "?offset=x",
    "?$skipToken=x",
    "?latestVersionOnly=maybe",
    "?name=a&name=b",
  ])("refuses %j", async (query) => {
    const answer = await get(`/models${query}`);
    expect(answer.statusCode).toBe(400);
    expect(answer.json().message).toMatch(/count|orderBy|offset|skipToken|latestVersionOnly|name/);
  });

  it.each(["CreatedAtDesc", "CreatedAtAsc", "UpdatedAtDesc", "UpdatedAtAsc"])(
    "pages in the order %s by the token out of nextLink, each model once",
    async (order) => {
      await patch("a:1", [{ op: "replace", path: "/description", value: "newest change" }]);
      const whole = await ids(`?orderBy=${order}`);
      const seen: string[] = [];
      let token: string | null = null;
      do {
        const own: string = `orderBy=${order}&count=1${token === null ? "" : `&%24skipToken=${encodeURIComponent(token)}`}`;
        const page: WireModelPage = (await get(`/models?${own}`)).json();
        seen.push(...page.value.map((model: { id: string }) => model.id));
        token = page.nextLink === null ? null : new URL(page.nextLink).searchParams.get("$skipToken");
        expect(page.continuationToken).toBe(token);
      } while (token !== null);
      expect(seen).toEqual(whole);
      if (order === "UpdatedAtDesc") expect(seen[0]).toBe("a:1");
    },
  );

  it("gives a nextLink that works as it stands, and refuses its token in another order", async () => {
    const { nextLink } = (await get("/models?count=1&tags=area=x")).json();
    expect(nextLink).toMatch(/^https:\/\/slipway\.test:8443\/models\?/);
    const { pathname, search, searchParams } = new URL(nextLink);
    const next = (await get(`${pathname}${search}`)).json();
    expect(next.value.map((model: { id: string }) => model.id)).toEqual(["a:1"]);
    expect(next.nextLink).toBeNull();
    const token = encodeURIComponent(searchParams.get("$skipToken") ?? "");
    expect((await get(`/models?orderBy=CreatedAtAsc&$skipToken=${token}`)).statusCode).toBe(400);
  });
});

describe("patching", () => {
  it("does what the client sends", async () => {
    await room.register({ name: "m", kvTags: { old: "1" }, properties: { p: "1" } });
    room.clock.advance(1_000);
    const answer = await patch("m:1", [
      { op: "replace", path: "/kvTags", value: { new: 5 } },
      { op: "add", path: "/properties", value: { p: "1", q: "2" } },
      { op: "replace", path: "/description", value: "changed" },
      { op: "replace", path: "/sampleInputData", value: "aml://dataset/d1" },
      { op: "replace", path: "/resourceRequirements", value: { cpu: 2 } },
      { op: "add", path: "/datasets", value: [{ name: "t", id: "d1" }] },
    ]);
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toMatchObject({
      kvTags: { new: "5" },
      properties: { p: "1", q: "2" },
      description: "changed",
      sampleInputData: "aml://dataset/d1",
      resourceRequirements: { cpu: 2, memoryInGB: null, gpu: null },
      datasets: [{ name: "t", id: "d1" }],
      modifiedTime: room.clock.now().toISOString(),
    });
    expect((await get("/models/m:1")).json()).toEqual(answer.json());
    expect(await ids("?tags=old")).toEqual([]);
    expect(await ids("?tags=new=5&datasetId=d1")).toEqual(["m:1"]);
  });

  it("of an unknown model is 404, and a wrong one changes nothing", async () => {
    expect((await patch("m:1", [])).json()).toMatchObject({ code: "ModelNotFound", statusCode: 404 });
    await room.register({ name: "m", description: "before" });
    const answer = await patch("m:1", [
      { op: "replace", path: "/description", value: "after" },
      { op: "replace", path: "/version", value: 7 },
    ]);
    expect(answer.statusCode).toBe(400);
    expect(answer.json().message).toMatch(/Operation 1 .*"replace" on "\/version"/);
    expect((await get("/models/m:1")).json().description).toBe("before");
    for (const body of [{}, "x", [{ path: "/description" }], [1]])
      expect((await patch("m:1", body)).statusCode).toBe(400);
  });
});

describe("deleting", () => {
  it("refuses while somebody uses the model, naming the users", async () => {
    await room.register({ name: "m" });
    room.users.set("m:1", ["image myimage:1", "image other:3"]);
    const answer = await room.app.inject({ method: "DELETE", url: "/models/m:1" });
    expect(answer.statusCode).toBe(412);
    expect(answer.json()).toMatchObject({ code: "ModelInUse", statusCode: 412 });
    for (const part of ["DeletionRequired", "image myimage:1", "image other:3"]) {
      expect(answer.json().message).toContain(part);
    }
    room.users.clear();
    expect((await room.app.inject({ method: "DELETE", url: "/models/m%3A1" })).statusCode).toBe(200);
    expect((await get("/models/m:1")).statusCode).toBe(404);
    expect((await room.app.inject({ method: "DELETE", url: "/models/m:1" })).statusCode).toBe(204);
    expect(await room.database.selectFrom("model_label").selectAll().execute()).toEqual([]);
  });
});
