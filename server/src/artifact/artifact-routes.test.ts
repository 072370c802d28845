import { createHash } from "node:crypto";
import { HEAD_BYTES } from "@slipway/api";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ArtifactTestRoom, openArtifactRoom, reserve, uploadFiles } from "./artifact-test-room.ts";

let room: ArtifactTestRoom;
beforeEach(async () => {
  room = await openArtifactRoom();
});
afterEach(() => room.close());

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const get = (url: string, workspace = "ws1") => room.app.inject({ url, headers: { workspace } });

describe("reserving", () => {
  it("answers under the requested paths, letter by letter", async () => {
    const paths = ["model.pkl", "Ordner mit ü/b c.txt", "__proto__", "100%25.txt"];
    const { body } = await reserve(
      room,
      "261122T092406-e520d039",
      paths.map((path) => ({ path })),
    );
    expect(Object.keys(body.artifacts)).toEqual(paths);
    expect(Object.keys(body.artifactContentInformation)).toEqual(paths);
    expect(body.errors).toEqual({});
    expect(body.artifacts["model.pkl"]).toEqual({
      artifactId: "LocalUpload/261122T092406-e520d039/model.pkl",
      origin: "LocalUpload",
      container: "261122T092406-e520d039",
      path: "model.pkl",
      etag: null,
      createdTime: room.clock.now().toISOString(),
      dataPath: null,
    });
    const { contentUri, uploadUri, alreadyStored } = body.artifactContentInformation["model.pkl"];
    expect(contentUri).toMatch(/^https:\/\/acct\.blob\.@slipway\.test:8443\/blobs\/[0-9a-f]{32}\/content\?sp=w&/);
    expect(uploadUri).toBe(contentUri.replace("acct.blob.@", ""));
    expect(alreadyStored).toBe(false);
  });

  it("gives a name the same artifact every time, with a new address", async () => {
    const first = (await reserve(room, "c", [{ path: "a" }])).information("a");
    const second = (await reserve(room, "c", [{ path: "a" }])).information("a");
    const id = (address: string) => new URL(address).pathname;
    expect(id(second.uploadUri)).toBe(id(first.uploadUri));
    expect(second.uploadUri).not.toBe(first.uploadUri);
  });

  it.each([
    "",
    "/etc/passwd",
    "../x",
    "a/../../x",
    "a/./b",
    "a//b",
    "a/",
    "..",
    "a\\..\\b",
    "a\u0000b",
    "a\nb",
    "a\u007f",
    "\ud800",
    "x".repeat(1025),
    `${"ü".repeat(128)}/x`,
  ])("refuses the path %j and reserves nothing", async (path) => {
    const answer = await room.app.inject({
      method: "POST",
      url: "/artifacts/batch/metadata/LocalUpload/c",
      payload: { paths: [{ path: "good" }, { path }] },
    });
    expect(answer.statusCode).toBe(400);
    expect(answer.json().error.code).toMatch(/^(ArtifactPathInvalid|InvalidRequest)$/);
    expect(await room.database.selectFrom("artifact").select("path").execute()).toEqual([]);
  });

  it.each([
    [{}, "paths"],
    [{ paths: "a" }, "body.paths must be array"],
    [{ paths: [{ path: 1 }] }, "body.paths.0.path must be string"],
    [{ paths: [{ path: "a", sha256: "xyz" }] }, "body.paths.0.sha256"],
    [{ paths: Array.from({ length: 51 }, (_, index) => ({ path: String(index) })) }, "50"],
  ])("names the field that is wrong: %j", async (payload, part) => {
    const answer = await room.app.inject({
      method: "POST",
      url: "/artifacts/batch/metadata/LocalUpload/c",
      payload,
    });
    expect(answer.statusCode).toBe(400);
    expect(answer.json().error.message).toContain(part);
  });

  it("refuses origins and containers that are not plain names", async () => {
    for (const url of ["/artifacts/batch/metadata/..%2Fx/c", "/artifacts/batch/metadata/LocalUpload/%00"]) {
      const answer = await room.app.inject({ method: "POST", url, payload: { paths: [{ path: "a" }] } });
      expect(answer.statusCode).toBe(400);
      expect(answer.json().error.code).toBe("ArtifactPathInvalid");
    }
  });
});

describe("announced digests", () => {
  it("stores bytes that the workspace has without sending them again", async () => {
    await uploadFiles(room, "first", { "m.pkl": "the model" });
    const again = await reserve(room, "second", [{ path: "copy.pkl", sha256: sha256("the model") }, { path: "new" }]);
    expect(again.information("copy.pkl").alreadyStored).toBe(true);
    expect(again.information("new").alreadyStored).toBe(false);
    expect(await room.artifacts.readText("ws1", "LocalUpload/second/copy.pkl", 100)).toBe("the model");
  });

  it("tells no other workspace what this one has", async () => {
    await uploadFiles(room, "first", { "m.pkl": "the model" });
    const other = await reserve(room, "x", [{ path: "m.pkl", sha256: sha256("the model") }], "ws2");
    expect(other.information("m.pkl").alreadyStored).toBe(false);
    await expect(room.artifacts.readText("ws2", "LocalUpload/x/m.pkl", 100)).rejects.toThrow("never uploaded");
    await expect(room.artifacts.resolve("ws2", "LocalUpload/first")).rejects.toThrow("no artifact");
  });

  it("accepts nothing but the announced bytes", async () => {
    const reserved = await reserve(room, "c", [{ path: "m", sha256: sha256("right") }]);
    const wrong = await room.app.inject({ method: "PUT", url: reserved.upload("m"), payload: "wrong" });
    expect(wrong.statusCode).toBe(400);
    expect(wrong.headers["x-ms-error-code"]).toBe("BlobDigestMismatch");
    const right = await room.app.inject({ method: "PUT", url: reserved.upload("m"), payload: "right" });
    expect(right.statusCode).toBe(201);
    const repeated = await room.app.inject({ method: "PUT", url: reserved.upload("m"), payload: "right" });
    expect(repeated.statusCode).toBe(201);
  });

  it("says by size and head whether a digest could spare the upload", async () => {
    const mayBeStored = async (text: string, sizeBytes: number, workspace = "ws1") => {
      const announced = { path: "m", sizeBytes, headSha256: sha256(text) };
      return (await reserve(room, "asked", [announced], workspace)).information("m").mayBeStored;
    };
    expect(await mayBeStored("the model", 9)).toBe(false);
    await uploadFiles(room, "first", { "m.pkl": "the model", "n.pkl": "new model" });
    expect(await mayBeStored("the model", 9)).toBe(true);
    expect(await mayBeStored("new model", 9)).toBe(true);
    expect(await mayBeStored("old model", 9)).toBe(false);
    expect(await mayBeStored("the model", 10)).toBe(false);
    expect(await mayBeStored("the model", 9, "ws2")).toBe(false);
    await room.blobs.delete(`sha256:${sha256("new model")}`);
    expect(await mayBeStored("new model", 9)).toBe(false);
    const large = Buffer.alloc(HEAD_BYTES + 1, "x");
    await uploadFiles(room, "large", { large });
    expect(await mayBeStored("x".repeat(HEAD_BYTES), large.length)).toBe(true);
    const announced = await reserve(room, "c", [{ path: "m", sha256: sha256("1234567890") }]);
    expect(announced.information("m").mayBeStored).toBeUndefined();
    const block = `${announced.upload("m")}&comp=block&blockid=${Buffer.from("00000000").toString("base64")}`;
    await room.app.inject({ method: "PUT", url: block, payload: "12345" });
    expect(await mayBeStored("1234567890", 10)).toBe(true);
  });

  it("does not trust a row whose bytes are gone", async () => {
    await uploadFiles(room, "first", { m: "lost" });
    await room.blobs.delete(`sha256:${sha256("lost")}`);
    const again = await reserve(room, "second", [{ path: "m", sha256: sha256("lost") }]);
    expect(again.information("m").alreadyStored).toBe(false);
  });
});

describe("reading", () => {
  it("gives a signed link for one file", async () => {
    await uploadFiles(room, "c", { "Ordner ü/a b.txt": "text" });
    const answer = await get("/artifacts/contentinfo/LocalUpload/c/Ordner%20%C3%BC/a%20b.txt");
    expect(answer.json()).toMatchObject({ origin: "LocalUpload", container: "c", path: "Ordner ü/a b.txt" });
    const link = answer.json().contentUri.replace("https://slipway.test:8443", "");
    expect((await room.app.inject(link)).body).toBe("text");
  });

  it.each(["folder", "folder/", "folder//"])("finds all below the prefix %j and nothing else", async (prefix) => {
    await uploadFiles(room, "c", {
      "folder/a": "1",
      "folder/b/c": "2",
      "folder-x": "3",
      folder0: "4",
      "folder.x/y": "5",
    });
    const answer = await get(`/artifacts/prefix/contentinfo/LocalUpload/c/${prefix}`);
    expect(answer.json().value.map((item: { path: string }) => item.path)).toEqual(["folder/a", "folder/b/c"]);
    expect(answer.json().continuationToken).toBeNull();
  });

  it("finds a file by its exact path, and a whole container", async () => {
    await uploadFiles(room, "c", { "a.txt": "1", "a.txt.bak": "2" });
    await reserve(room, "c", [{ path: "never uploaded" }]);
    const paths = async (url: string) => (await get(url)).json().value.map((item: { path: string }) => item.path);
    expect(await paths("/artifacts/prefix/contentinfo/LocalUpload/c/a.txt//")).toEqual(["a.txt"]);
    expect(await paths("/artifacts/prefix/contentinfo/LocalUpload/c")).toEqual(["a.txt", "a.txt.bak"]);
    expect(await paths("/artifacts/LocalUpload/c")).toEqual(["a.txt", "a.txt.bak"]);
  });

  it("pages by continuationToken, each file once", async () => {
    const all = Array.from({ length: 1_203 }, (_, index) => `d/${String(index).padStart(5, "0")} ü`);
    await room.database
      .insertInto("artifact")
      .values(
        all.map((path) => ({
          workspace_id: "ws1",
          origin: "LocalUpload",
          container: "c",
          path,
          upload_id: path,
          created_at: "2026",
          digest: `sha256:${"0".repeat(64)}`,
          size_bytes: 1,
          stored_at: "2026",
        })),
      )
      .execute();
    const seen: string[] = [];
    let token: string | null = "";
    let pages = 0;
    while (token !== null) {
      const query: string = token === "" ? "" : `?continuationToken=${encodeURIComponent(token)}`;
      const page = (await get(`/artifacts/prefix/contentinfo/LocalUpload/c/d${query}`)).json();
      seen.push(...page.value.map((item: { path: string }) => item.path));
      token = page.continuationToken;
      pages += 1;
    }
    expect(seen).toEqual(all);
    expect(pages).toBe(3);
    expect((await get("/artifacts/LocalUpload/c?continuationToken=%21")).statusCode).toBe(400);
  });

  it("answers unknown and unfinished artifacts in words", async () => {
    await reserve(room, "c", [{ path: "pending" }]);
    const unknown = await get("/artifacts/contentinfo/LocalUpload/c/nothing");
    expect(unknown.statusCode).toBe(404);
    expect(unknown.json().error).toMatchObject({ code: "ArtifactNotFound" });
    const pending = await get("/artifacts/contentinfo/LocalUpload/c/pending");
    expect(pending.statusCode).toBe(400);
    expect(pending.json().error.message).toContain("LocalUpload/c/pending");
    expect((await get("/artifacts/contentinfo/LocalUpload/c/..%2f..%2fx")).statusCode).toBe(400);
  });
});

describe("for other rooms", () => {
  it("resolves a folder in order, as id or address", async () => {
    await uploadFiles(room, "c", { "m/b": "bb", "m/a": "a" });
    for (const id of ["LocalUpload/c/m", "aml://artifact/LocalUpload/c/m//"]) {
      const found = await room.artifacts.resolve("ws1", id);
      expect(found.map(({ path, sizeBytes }) => [path, sizeBytes])).toEqual([
        ["m/a", 1],
        ["m/b", 2],
      ]);
    }
  });

  it("names what was reserved but never uploaded", async () => {
    await uploadFiles(room, "c", { "m/a": "a" });
    await reserve(room, "c", [{ path: "m/b" }, { path: "m/c" }]);
    await expect(room.artifacts.resolve("ws1", "LocalUpload/c/m")).rejects.toMatchObject({
      code: "ArtifactNotUploaded",
      message: expect.stringMatching(/2 artifacts.*m\/b.*m\/c/),
    });
  });

  it("reads text within a limit, and only text", async () => {
    await uploadFiles(room, "c", { "ok.yml": "name: ü", binary: Buffer.from([0xff, 0xfe, 0x00]) });
    expect(await room.artifacts.readText("ws1", "aml://artifact/LocalUpload/c/ok.yml", 8)).toBe("name: ü");
    await expect(room.artifacts.readText("ws1", "LocalUpload/c/ok.yml", 7)).rejects.toMatchObject({
      code: "ArtifactTooLarge",
    });
    await expect(room.artifacts.readText("ws1", "LocalUpload/c/binary", 8)).rejects.toMatchObject({
      code: "ArtifactNotText",
    });
    await expect(room.artifacts.readText("ws1", "nonsense", 8)).rejects.toMatchObject({ code: "ArtifactIdInvalid" });
  });
});
