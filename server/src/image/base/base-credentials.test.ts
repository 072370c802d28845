import { type CompiledQuery, sql } from "kysely";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ImageTestRoom, openImageTestRoom } from "../image-test-room.ts";
import { toImageRequest, toWireImage } from "../image-wire.ts";
import { readBase } from "./base-wire.ts";

const PASSWORD = "hunter2-of-the-registry";
const LOGIN = { username: "ada", password: PASSWORD, host: "registry.example.test" };
const body = {
  name: "private-base",
  modelIds: ["m:1"],
  targetRuntime: {
    runtimeType: "PythonCustom",
    targetArchitecture: "amd64",
    properties: {
      baseImage: "team/base:1",
      baseImageRegistryInfo: { location: "registry.example.test", user: "ada", password: PASSWORD },
    },
  },
};

describe("the login for the registry of a base", () => {
  let room: ImageTestRoom;
  beforeEach(async () => {
    room = await openImageTestRoom();
    await room.registerModel("m", "model.onnx", "x");
  });
  afterEach(() => room.close());

  async function everythingStored(): Promise<string> {
    const tables = await room.database.introspection.getTables();
    const rows = await Promise.all(
      tables.map(({ name }) =>
        room.database.executeQuery(sql`select * from ${sql.table(name)}`.compile(room.database) as CompiledQuery),
      ),
    );
    return JSON.stringify(rows.map((result) => result.rows));
  }

  it("is kept for the build and its rebuild, and nobody who reads the image or the database sees it", async () => {
    const request = toImageRequest(body);
    expect(request.targetRuntime?.properties).toEqual({ baseImage: "registry.example.test/team/base:1" });
    const image = await room.images.create(room.workspace.id, request);
    const links = { location: "x", publicUrl: "https://x" };
    expect(JSON.stringify(toWireImage(image, links))).not.toContain(PASSWORD);
    const stored = await everythingStored();
    expect(stored).toContain("registry.example.test/team/base:1");
    expect(stored).not.toContain(PASSWORD);
    expect(await room.baseCredentials.find(room.workspace.id, image.id)).toEqual(LOGIN);

    const again = await room.images.rebuild(room.workspace.id, image.id, { upgrade: false });
    expect(await room.baseCredentials.find(room.workspace.id, again.id)).toEqual(LOGIN);
    await room.images.delete(room.workspace.id, image.id);
    expect(await room.baseCredentials.find(room.workspace.id, image.id)).toBeUndefined();
  });

  it("is read where the genuine client puts it, too", () => {
    const { baseImage, baseImageRegistryInfo } = body.targetRuntime.properties;
    const request = toImageRequest({ name: "x", baseImage, baseImageRegistryInfo });
    expect(request.baseCredentials).toEqual(LOGIN);
    expect(JSON.stringify(request.targetRuntime)).not.toContain(PASSWORD);
  });

  it("is there only with user name and password", () => {
    const read = (registry: Partial<Parameters<typeof readBase>[0]["registry"]>, image: unknown = "base:1") =>
      readBase({ image, registry: { address: undefined, username: undefined, password: undefined, ...registry } });
    expect(read({})).toEqual({ reference: "base:1" });
    expect(read({ address: null, username: null, password: null })).toEqual({ reference: "base:1" });
    expect(read({ address: "r.example.test", username: "u" })).toEqual({ reference: "r.example.test/base:1" });
    expect(read({ username: "u", password: "p" }, null)).toEqual({});
    // for a base that Docker steps name
    expect(read({ address: "https://r.example.test/", username: "u", password: "p" }, null)).toEqual({
      credentials: { username: "u", password: "p", host: "r.example.test" },
    });
    expect(read({ username: "u", password: "p" })).toEqual({
      reference: "base:1",
      credentials: { username: "u", password: "p", host: "docker.io" },
    });
  });
});
