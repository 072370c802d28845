import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { BlobStore } from "../platform/blob-store/blob-store.ts";
import type { HttpApp } from "../platform/http/app.ts";
import { type Descriptor, imageLocation, mediaTypes, registryNamespace } from "./registry.ts";
import type { Registry } from "./registry-service.ts";
import { basic, digestOf, openRegistryTestRoom, type RegistryTestRoom, WORKSPACE } from "./registry-test-room.ts";

describe("pulling from the registry", () => {
  let room: RegistryTestRoom;
  let blobs: BlobStore;
  let registry: Registry;
  let app: HttpApp;
  let layer: Descriptor;
  let manifest: Descriptor;
  beforeEach(async () => {
    room = await openRegistryTestRoom();
    ({ blobs, registry, app } = room);
    ({ layer, manifest } = await addImage("digits", "1", "the model"));
  });
  afterEach(() => room.close());

  async function addImage(name: string, tag: string, content: string) {
    const blob = await blobs.put(Readable.from([Buffer.from(content)]));
    const added = await registry.addFilesLayer([{ name: "models/a", ...blob }], new AbortController().signal);
    const { digest, mediaType, sizeBytes, diffId } = added;
    const described = { digest, mediaType, size: sizeBytes };
    const config = await registry.putDocument(mediaTypes.config, { rootfs: { type: "layers", diff_ids: [diffId] } });
    const document = { schemaVersion: 2, mediaType: mediaTypes.manifest, config, layers: [described] };
    const written = await registry.putDocument(mediaTypes.manifest, document);
    await registry.tagManifest({ workspaceId: WORKSPACE, name }, tag, written, [config, described]);
    return { layer: described, manifest: written };
  }

  const get = (url: string, headers: Record<string, string> = {}, method: "GET" | "HEAD" = "GET") =>
    app.inject({ method, url, headers: { ...basic("right"), ...headers } });

  it("greets who has credentials and asks others for them", async () => {
    expect((await get("/v2/")).statusCode).toBe(200);
    for (const headers of [{}, basic("wrong"), { authorization: "Basic !!" }, { authorization: "Bearer x" }]) {
      const refused = await app.inject({ url: "/v2/", headers });
      expect(refused.statusCode).toBe(401);
      expect(refused.headers["www-authenticate"]).toMatch(/^Basic realm=/);
      expect(refused.json().errors[0]).toMatchObject({ code: "UNAUTHORIZED" });
    }
  });

  it("gives the manifest by tag and by digest, with its digest and media type", async () => {
    for (const reference of ["1", manifest.digest]) {
      const answer = await get(`/v2/team-a/digits/manifests/${reference}`, { accept: mediaTypes.manifest });
      expect(answer.statusCode).toBe(200);
      expect(answer.headers["content-type"]).toBe(mediaTypes.manifest);
      expect(answer.headers["docker-content-digest"]).toBe(manifest.digest);
      expect(digestOf(answer.rawPayload)).toBe(manifest.digest);
      const head = await get(`/v2/team-a/digits/manifests/${reference}`, {}, "HEAD");
      expect(head.headers["content-length"]).toBe(String(manifest.size));
      expect(head.rawPayload).toHaveLength(0);
    }
  });

  it("gives config and layers whole, by HEAD, and in ranges", async () => {
    const url = `/v2/team-a/digits/blobs/${layer.digest}`;
    const whole = await get(url);
    expect(digestOf(whole.rawPayload)).toBe(layer.digest);
    expect((await get(url, {}, "HEAD")).headers["content-length"]).toBe(String(layer.size));
    const part = await get(url, { range: "bytes=500-1100" });
    expect(part.statusCode).toBe(206);
    expect(part.headers["content-range"]).toBe(`bytes 500-1100/${layer.size}`);
    expect(part.rawPayload.equals(whole.rawPayload.subarray(500, 1101))).toBe(true);
    const tail = await get(url, { range: "bytes=-100" });
    expect(tail.rawPayload.equals(whole.rawPayload.subarray(-100))).toBe(true);
    const rest = await get(url, { range: "bytes=2000-" });
    expect(rest.rawPayload.equals(whole.rawPayload.subarray(2000))).toBe(true);
    const beyond = await get(url, { range: `bytes=${layer.size}-` });
    expect(beyond.statusCode).toBe(416);
    expect(beyond.json().errors[0].code).toBe("RANGE_INVALID");
  });

  it("lists tags in order, page by page", async () => {
    await addImage("digits", "2", "the next model");
    await addImage("digits", "10", "a later model");
    const tags = async (query = "") => (await get(`/v2/team-a/digits/tags/list${query}`)).json().tags;
    expect(await tags()).toEqual(["1", "10", "2"]);
    expect(await tags("?n=2")).toEqual(["1", "10"]);
    expect(await tags("?n=2&last=10")).toEqual(["2"]);
    expect(await tags("?n=0")).toEqual([]);
    const first = await get("/v2/team-a/digits/tags/list?n=2");
    expect(first.headers.link).toBe('</v2/team-a/digits/tags/list?n=2&last=10>; rel="next"');
    expect((await get("/v2/team-a/digits/tags/list?n=3")).headers.link).toBeUndefined();
    await addImage("digits", "Alpha", "one more");
    await addImage("digits", "beta", "and one more");
    expect(await tags("?last=2")).toEqual(["Alpha", "beta"]);
    expect((await get("/v2/team-a/nothing/tags/list")).json().errors[0].code).toBe("NAME_UNKNOWN");
  });

  it("shows nothing of other repositories and workspaces", async () => {
    const { layer: foreign } = await addImage("secret", "1", "a secret model");
    expect((await get(`/v2/team-a/digits/blobs/${foreign.digest}`)).statusCode).toBe(404);
    expect((await get(`/v2/team-a/secret/blobs/${foreign.digest}`)).statusCode).toBe(200);
    const other = basic("other");
    expect((await get("/v2/team-a/digits/manifests/1", other)).statusCode).toBe(404);
    expect((await get(`/v2/team-a/digits/blobs/${layer.digest}`, other)).statusCode).toBe(404);
    expect((await get("/v2/team-b/digits/manifests/1")).statusCode).toBe(401);
    const stray = await blobs.put(Readable.from([Buffer.from("an upload of somebody")]));
    expect((await get(`/v2/team-a/digits/blobs/${stray.digest}`)).statusCode).toBe(404);
  });

  it.each([
    ["an unknown tag", "/v2/team-a/digits/manifests/9", 404, "MANIFEST_UNKNOWN"],
    ["a reference that is none", "/v2/team-a/digits/manifests/..%2f..%2fetc", 404, "NAME_UNKNOWN"],
    ["an unknown digest", `/v2/team-a/digits/blobs/sha256:${"0".repeat(64)}`, 404, "BLOB_UNKNOWN"],
    ["a digest that is none", "/v2/team-a/digits/blobs/md5:1234", 400, "DIGEST_INVALID"],
    ["a repository that nobody pushed to", "/v2/team-a/a/b/c/manifests/1", 404, "MANIFEST_UNKNOWN"],
    ["a workspace instead of a repository", "/v2/team-a/manifests/1", 400, "NAME_INVALID"],
    ["a repository with capitals", "/v2/team-a/Digits/manifests/1", 400, "NAME_INVALID"],
    ["a path trick", "/v2/team-a/..%2f..%2fetc/manifests/1", 400, "NAME_INVALID"],
  ])("answers %s in the envelope of registries", async (_what, url, status, code) => {
    const answer = await get(url);
    expect(answer.statusCode).toBe(status);
    expect(answer.json().errors).toEqual([{ code, message: expect.any(String), detail: null }]);
  });

  it("forgets a tag, and what no other tag needs", async () => {
    const repository = { workspaceId: WORKSPACE, name: "digits" };
    await registry.tagManifest(repository, "again", manifest, [layer]);
    await registry.removeTag(repository, "1");
    expect((await get("/v2/team-a/digits/manifests/1")).statusCode).toBe(404);
    expect((await get(`/v2/team-a/digits/blobs/${layer.digest}`)).statusCode).toBe(200);
    await registry.removeTag(repository, "again");
    expect((await get(`/v2/team-a/digits/blobs/${layer.digest}`)).statusCode).toBe(404);
    await registry.removeTag(repository, "again");
  });

  it("names repositories as registries allow it", () => {
    expect(registryNamespace("My__Work-_Space_")).toBe("my-work-space");
    expect(imageLocation("localhost:8443", "Default", "digits", "3")).toBe("localhost:8443/default/digits:3");
  });
});
