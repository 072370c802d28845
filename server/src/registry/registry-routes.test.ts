import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { BlobStore } from "../platform/blob-store/blob-store.ts";
import { openFileBlobStore } from "../platform/blob-store/file-blob-store.ts";
import { systemClock } from "../platform/clock.ts";
import { migrateToLatest } from "../platform/database/migrate.ts";
import { openSqlite } from "../platform/database/sqlite.ts";
import { createHttpApp, type HttpApp } from "../platform/http/app.ts";
import { silentLog } from "../platform/log.ts";
import { type Descriptor, imageLocation, mediaTypes, registryNamespace } from "./registry.ts";
import { registryRoutes } from "./registry-routes.ts";
import { createRegistry, type Registry } from "./registry-service.ts";
import { type RegistryTables, registryMigration, registryPushMigration } from "./registry-tables.ts";

const WORKSPACE = "workspace-id";
const credentials = (password: string) => ({ authorization: `Basic ${btoa(`user:${password}`)}` });

describe("pulling from the registry", () => {
  let folder: string;
  let blobs: BlobStore;
  let registry: Registry;
  let app: HttpApp;
  let layer: Descriptor;
  let manifest: Descriptor;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "slipway-registry-"));
    blobs = await openFileBlobStore(join(folder, "blobs"));
    const database = openSqlite<RegistryTables>(":memory:");
    await migrateToLatest(database, { "1": registryMigration, "2": registryPushMigration });
    registry = createRegistry({ database, clock: systemClock, blobs });
    app = createHttpApp() as HttpApp;
    registryRoutes(app, {
      registry,
      log: silentLog,
      verify: async (namespace, username, password) => {
        const known = namespace === undefined || namespace === "team-a";
        if (!known || username !== "user") return undefined;
        return password === "right" ? WORKSPACE : password === "other" ? "other-workspace" : undefined;
      },
    });
    ({ layer, manifest } = await addImage("digits", "1", "the model"));
  });
  afterEach(async () => {
    await app.close();
    await rm(folder, { recursive: true, force: true });
  });

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
    app.inject({ method, url, headers: { ...credentials("right"), ...headers } });
  const sha256 = (bytes: Uint8Array) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

  it("greets who has credentials and asks others for them", async () => {
    expect((await get("/v2/")).statusCode).toBe(200);
    for (const headers of [{}, credentials("wrong"), { authorization: "Basic !!" }, { authorization: "Bearer x" }]) {
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
      expect(sha256(answer.rawPayload)).toBe(manifest.digest);
      const head = await get(`/v2/team-a/digits/manifests/${reference}`, {}, "HEAD");
      expect(head.headers["content-length"]).toBe(String(manifest.size));
      expect(head.rawPayload).toHaveLength(0);
    }
  });

  it("gives config and layers whole, by HEAD, and in ranges", async () => {
    const url = `/v2/team-a/digits/blobs/${layer.digest}`;
    const whole = await get(url);
    expect(sha256(whole.rawPayload)).toBe(layer.digest);
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
    expect((await get("/v2/team-a/nothing/tags/list")).json().errors[0].code).toBe("NAME_UNKNOWN");
  });

  it("shows nothing of other repositories and workspaces", async () => {
    const { layer: foreign } = await addImage("secret", "1", "a secret model");
    expect((await get(`/v2/team-a/digits/blobs/${foreign.digest}`)).statusCode).toBe(404);
    expect((await get(`/v2/team-a/secret/blobs/${foreign.digest}`)).statusCode).toBe(200);
    const other = credentials("other");
    expect((await get("/v2/team-a/digits/manifests/1", other)).statusCode).toBe(404);
    expect((await get(`/v2/team-a/digits/blobs/${layer.digest}`, other)).statusCode).toBe(404);
    expect((await get("/v2/team-b/digits/manifests/1")).statusCode).toBe(401);
    const stray = await blobs.put(Readable.from([Buffer.from("an upload of somebody")]));
    expect((await get(`/v2/team-a/digits/blobs/${stray.digest}`)).statusCode).toBe(404);
  });

  it.each([
    ["an unknown tag", "/v2/team-a/digits/manifests/9", 404, "MANIFEST_UNKNOWN"],
    ["a reference that is none", "/v2/team-a/digits/manifests/..%2f..%2fetc", 404, "MANIFEST_UNKNOWN"],
    ["an unknown digest", `/v2/team-a/digits/blobs/sha256:${"0".repeat(64)}`, 404, "BLOB_UNKNOWN"],
    ["a digest that is none", "/v2/team-a/digits/blobs/md5:1234", 400, "DIGEST_INVALID"],
    ["a repository of another shape", "/v2/team-a/a/b/c/manifests/1", 404, "NAME_UNKNOWN"],
  ])("answers %s in the envelope of registries", async (_what, url, status, code) => {
    const answer = await get(url);
    expect(answer.statusCode).toBe(status);
    expect(answer.json().errors).toEqual([{ code, message: expect.any(String), detail: null }]);
  });

  it("takes no pushes", async () => {
    for (const [method, url] of [
      ["POST", "/v2/team-a/digits/blobs/uploads/"],
      ["PUT", "/v2/team-a/digits/manifests/1"],
      ["DELETE", "/v2/team-a/digits/manifests/1"],
    ] as const) {
      const answer = await app.inject({ method, url, headers: credentials("right") });
      expect(answer.statusCode).toBe(405);
      expect(answer.json().errors[0].code).toBe("UNSUPPORTED");
    }
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
