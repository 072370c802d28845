import { randomBytes } from "node:crypto";
import { readdir } from "node:fs/promises";
import { request } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { openBlobUploads } from "./blob-uploads.ts";
import { mediaTypes } from "./registry.ts";
import { basic, digestOf, openRegistryTestRoom, type RegistryTestRoom, WORKSPACE } from "./registry-test-room.ts";

let room: RegistryTestRoom;
beforeEach(async () => {
  room = await openRegistryTestRoom();
});
afterEach(() => room.close());

const errorOf = (answer: { json(): { errors: { code: string; message: string }[] } }) => answer.json().errors[0];
const ABSENT = digestOf("nobody has this");

describe("pushing a blob", () => {
  it.each(["sha256", "sha512"])("in one request, named by %s", async (algorithm) => {
    const body = randomBytes(3_000_000);
    const digest = digestOf(body, algorithm);
    const answer = await room.call("POST", `a/b/c/blobs/uploads/?digest=${digest}`, { body });
    expect(answer.statusCode).toBe(201);
    expect(answer.headers.location).toBe(`/v2/team-a/a/b/c/blobs/${digest}`);
    expect(answer.headers["docker-content-digest"]).toBe(digest);
    const read = await room.call("GET", `a/b/c/blobs/${digest}`);
    expect(read.rawPayload.equals(body)).toBe(true);
    const head = await room.call("HEAD", `a/b/c/blobs/${digest}`);
    expect(head.headers["content-length"]).toBe("3000000");
    expect(await readdir(room.directory)).toEqual([]);
  });

  it("begun and then sent whole, empty ones as well", async () => {
    for (const body of ["", "some bytes"]) {
      const answer = await room.call("PUT", `${await room.begin("a")}?digest=${digestOf(body)}`, { body });
      expect(answer.statusCode).toBe(201);
      expect((await room.call("GET", `a/blobs/${digestOf(body)}`)).body).toBe(body);
    }
  });

  it("in chunks that say where they belong, the last one with the end", async () => {
    const upload = await room.begin("a");
    const chunk = (method: "PATCH" | "PUT", range: string, body: string, query = "") =>
      room.call(method, upload + query, { body, headers: { "content-range": range } });
    const first = await chunk("PATCH", "0-4", "01234");
    expect(first.statusCode).toBe(202);
    expect(first.headers.range).toBe("0-4");
    expect(first.headers.location).toBe(`/v2/team-a/${upload}`);
    const status = await room.call("GET", upload);
    expect([status.statusCode, status.headers.range]).toEqual([204, "0-4"]);
    for (const range of ["6-10", "0-4", "4-8"]) {
      const refused = await chunk("PATCH", range, "56789");
      expect(refused.statusCode).toBe(416);
      expect(refused.headers.range).toBe("0-4");
      expect(errorOf(refused)?.code).toBe("RANGE_INVALID");
    }
    const last = await chunk("PUT", "5-9", "56789", `?digest=${digestOf("0123456789")}`);
    expect(last.statusCode).toBe(201);
    expect((await room.call("GET", `a/blobs/${digestOf("0123456789")}`)).body).toBe("0123456789");
  });

  it.each(["5", "a-b", "bytes 0-4/*", "4-0"])("refuses the Content-Range %s", async (range) => {
    const answer = await room.call("PATCH", await room.begin("a"), {
      body: "01234",
      headers: { "content-range": range },
    });
    expect([400, 416]).toContain(answer.statusCode);
  });

  it("refuses a chunk of another length than its range", async () => {
    const upload = await room.begin("a");
    const answer = await room.call("PATCH", upload, { body: "01234", headers: { "content-range": "0-9" } });
    expect([answer.statusCode, errorOf(answer)?.code]).toEqual([400, "SIZE_INVALID"]);
  });

  it("refuses bytes that are not the announced ones, and ends the upload", async () => {
    const whole = await room.call("POST", `a/blobs/uploads/?digest=${ABSENT}`, { body: "other bytes" });
    expect([whole.statusCode, errorOf(whole)?.code]).toEqual([400, "DIGEST_INVALID"]);
    const upload = await room.begin("a");
    await room.call("PATCH", upload, { body: "other bytes" });
    expect((await room.call("PUT", `${upload}?digest=${ABSENT}`)).statusCode).toBe(400);
    expect((await room.call("GET", upload)).statusCode).toBe(404);
    expect((await room.call("GET", `a/blobs/${ABSENT}`)).statusCode).toBe(404);
    expect(await readdir(room.directory)).toEqual([]);
  });

  it.each(["", "?digest=md5:1", "?digest=sha256:abc", "?digest=../../etc/passwd"])(
    "refuses the end %j",
    async (query) => {
      const answer = await room.call("PUT", `${await room.begin("a")}${query}`, { body: "x" });
      expect([answer.statusCode, errorOf(answer)?.code]).toEqual([400, "DIGEST_INVALID"]);
    },
  );

  it("knows its own uploads only, in their repository and workspace", async () => {
    const upload = await room.begin("a");
    const elsewhere = [
      await room.call("GET", upload.replace("a/", "b/")),
      await room.call("GET", upload, { headers: basic("other") }),
      await room.call("GET", "a/blobs/uploads/..%2f..%2fx"),
      await room.call("PATCH", `a/blobs/uploads/${"0".repeat(32)}`, { body: "x" }),
    ];
    for (const answer of elsewhere) expect(answer.statusCode).toBe(404);
    expect((await room.call("DELETE", upload)).statusCode).toBe(204);
    expect(errorOf(await room.call("GET", upload))?.code).toBe("BLOB_UPLOAD_UNKNOWN");
  });

  it("two writers of one blob both succeed; two requests to one upload do not mix", async () => {
    const body = randomBytes(200_000);
    const digest = digestOf(body);
    const answers = await Promise.all(
      ["a", "a", "b"].map((name) => room.call("POST", `${name}/blobs/uploads/?digest=${digest}`, { body })),
    );
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([201, 201, 201]);
    const upload = await room.begin("a");
    const both = await Promise.all([1, 2].map(() => room.call("PATCH", upload, { body })));
    expect(both.map(({ statusCode }) => statusCode).sort()).toEqual([202, 409]);
    expect((await room.call("PUT", `${upload}?digest=${digest}`)).statusCode).toBe(201);
  });

  it("goes on after a broken connection and a restart of the server", async () => {
    const body = randomBytes(5_000_000);
    const upload = await room.begin("a");
    await room.app.listen({ host: "127.0.0.1", port: 0 });
    const { port } = room.app.server.address() as AddressInfo;
    const headers = { ...basic("right"), "content-length": body.length };
    const broken = request({ port, method: "PATCH", path: `/v2/team-a/${upload}`, headers });
    broken.on("error", () => {});
    broken.write(body.subarray(0, 3_000_000));
    // What the server has written is seen as the size of its file; then the line is cut.
    await vi.waitFor(async () => expect((await room.call("GET", upload)).headers.range).toMatch(/^0-2\d{6}$/), 10_000);
    broken.destroy();
    await new Promise((resolve) => broken.once("close", resolve));

    const { database, clock, blobs, directory } = room;
    const next = await openBlobUploads({ database, clock, blobs, directory });
    const repository = { workspaceId: WORKSPACE, name: "a" };
    const id = upload.split("/").at(-1) ?? "";
    const start = await vi.waitFor(async () => {
      const size = await next.sizeOf(repository, id);
      const range = { start: size, end: body.length - 1 };
      const rest = body.subarray(size);
      await next.append(repository, id, { bytes: chunks(rest), sizeBytes: rest.length, range });
      return size;
    }, 10_000);
    expect(start).toBeGreaterThan(2_000_000);
    expect(await next.finish(repository, id, digestOf(body))).toMatchObject({ sizeBytes: body.length });
    expect((await room.call("GET", `a/blobs/${digestOf(body)}`)).rawPayload.equals(body)).toBe(true);
  });

  it("mounts from a repository of the workspace that has it, and from no other", async () => {
    const { digest } = await room.pushBlob("a");
    const mount = (name: string, query: string, headers = {}) =>
      room.call("POST", `${name}/blobs/uploads/?mount=${digest}${query}`, { headers });
    expect((await mount("b", "&from=team-a/a")).statusCode).toBe(201);
    expect((await room.call("HEAD", `b/blobs/${digest}`)).statusCode).toBe(200);
    expect((await mount("c", "")).statusCode).toBe(201);
    for (const query of ["&from=team-a/nothing", "&from=team-b/a", "&from=team-a/../a"]) {
      const refused = await mount("d", query);
      expect(refused.statusCode).toBe(202);
      expect(refused.headers.location).toContain("/v2/team-a/d/blobs/uploads/");
    }
    for (const query of ["", "&from=team-a/a"]) {
      expect((await mount("e", query, basic("other"))).statusCode).toBe(202);
    }
    expect((await room.call("HEAD", `d/blobs/${digest}`)).statusCode).toBe(404);
  });
});

async function* chunks(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

describe("the quota", () => {
  it("denies what does not fit any more, and gives room when something goes", async () => {
    await room.close();
    room = await openRegistryTestRoom({ quotaBytes: 1_000 });
    const { digest } = await room.pushBlob("a", randomBytes(600));
    const body = randomBytes(500);
    const denied = await room.call("POST", `a/blobs/uploads/?digest=${digestOf(body)}`, { body });
    expect(denied.statusCode).toBe(403);
    expect(errorOf(denied)).toMatchObject({ code: "DENIED", message: expect.stringContaining("quota is 1000 bytes") });
    expect((await room.call("POST", `b/blobs/uploads/?mount=${digest}&from=team-a/a`)).statusCode).toBe(201);

    // Unfinished uploads count, too, and a client that does not say how much comes is stopped when it is too much.
    const upload = await room.begin("a");
    expect((await room.call("PATCH", upload, { body: randomBytes(300) })).statusCode).toBe(202);
    const id = upload.split("/").at(-1) ?? "";
    const more = { bytes: chunks(body), sizeBytes: undefined, range: undefined };
    await expect(room.uploads.append({ workspaceId: WORKSPACE, name: "a" }, id, more)).rejects.toMatchObject({
      code: "DENIED",
    });
    expect(await readdir(room.directory)).toEqual([]);
    await room.call("DELETE", `a/blobs/${digest}`);
    await room.call("DELETE", `b/blobs/${digest}`);
    expect((await room.call("POST", `a/blobs/uploads/?digest=${digestOf(body)}`, { body })).statusCode).toBe(201);
  });
});

describe("pushing a manifest", () => {
  it("by tag and by digest, byte for byte as it came", async () => {
    const { answer, digest, body, layer } = await room.pushImage("a/b", "v1", { custom: { field: [1] } });
    expect(answer.statusCode).toBe(201);
    expect(answer.headers.location).toBe(`/v2/team-a/a/b/manifests/${digest}`);
    for (const reference of ["v1", digest]) {
      const read = await room.call("GET", `a/b/manifests/${reference}`);
      expect(read.body).toBe(body);
      expect(read.headers["content-type"]).toBe(mediaTypes.manifest);
    }
    const again = await room.pushManifest("a/b", digest, body);
    expect(again.statusCode).toBe(201);
    expect((await room.call("GET", `a/b/blobs/${layer.digest}`)).statusCode).toBe(200);
    expect((await room.call("GET", "a/b/tags/list")).json()).toEqual({ name: "team-a/a/b", tags: ["v1"] });
    const catalog = await room.app.inject({ url: "/v2/_catalog", headers: basic("right") });
    expect(catalog.json()).toEqual({ repositories: ["team-a/a/b"] });
  });

  it("by the SHA-512 of its bytes", async () => {
    const { body } = await room.pushImage("a", "");
    const digest = digestOf(body, "sha512");
    expect((await room.pushManifest("a", digest, body)).statusCode).toBe(201);
    const read = await room.call("GET", `a/manifests/${digest}`);
    expect([read.body, read.headers["docker-content-digest"]]).toEqual([body, digest]);
  });

  it("of an index, once its manifests are there", async () => {
    const image = await room.pushImage("a", "");
    const index = (digest: string, size: number) =>
      JSON.stringify({ schemaVersion: 2, manifests: [{ mediaType: mediaTypes.manifest, digest, size }] });
    const push = (body: string) => room.pushManifest("a", "multi", body, mediaTypes.index);
    expect((await push(index(image.digest, image.size))).statusCode).toBe(201);
    expect((await room.call("GET", "a/manifests/multi")).headers["content-type"]).toBe(mediaTypes.index);
    expect(errorOf(await push(index(ABSENT, 5)))?.code).toBe("MANIFEST_BLOB_UNKNOWN");
    expect(errorOf(await push(index(image.digest, 5)))?.code).toBe("MANIFEST_INVALID");
    // A manifest is not a blob, although an index names it.
    expect((await room.call("GET", `a/blobs/${image.digest}`)).statusCode).toBe(404);
  });

  const descriptor = { mediaType: mediaTypes.layer, digest: ABSENT, size: 3 };
  it.each([
    ["no JSON", "{", 400, /not JSON/],
    [
      "another media type than it says",
      JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.index }),
      400,
      /sent as/,
    ],
    ["no configuration", JSON.stringify({ schemaVersion: 2, layers: [] }), 400, /config/],
    ["the first schema", JSON.stringify({ schemaVersion: 1, config: descriptor, layers: [] }), 400, /schemaVersion/],
    [
      "a negative size",
      JSON.stringify({ schemaVersion: 2, config: { ...descriptor, size: -1 }, layers: [] }),
      400,
      /config.size/,
    ],
    [
      "a digest that is none",
      JSON.stringify({ schemaVersion: 2, config: { ...descriptor, digest: "sha256:../x" }, layers: [] }),
      400,
      /no SHA-256/,
    ],
    [
      "an absent configuration",
      JSON.stringify({ schemaVersion: 2, config: descriptor, layers: [] }),
      404,
      /not in a\b/,
    ],
    ["more than 4 MiB", JSON.stringify({ text: "x".repeat(4 * 1024 * 1024) }), 413, /4194304 are allowed/],
  ])("refuses %s", async (_what, body, status, message) => {
    const answer = await room.pushManifest("a", "1", body);
    expect(answer.statusCode).toBe(status);
    expect(errorOf(answer)?.message).toMatch(message);
    expect((await room.call("GET", "a/manifests/1")).statusCode).toBe(404);
  });

  it("refuses wrong sizes, wrong digests, unknown media types, bad tags, and parts of other repositories", async () => {
    const { body, layer } = await room.pushImage("a", "1");
    const wrongSize = body.replace(`"size":${layer.size}`, `"size":${layer.size + 1}`);
    expect(errorOf(await room.pushManifest("a", "2", wrongSize))?.message).toMatch(/has 101 bytes; it has 100/);
    expect(errorOf(await room.pushManifest("a", ABSENT, body))?.code).toBe("DIGEST_INVALID");
    const unknown = body.replaceAll(mediaTypes.manifest, "application/vnd.unknown+json");
    const refused = await room.pushManifest("a", "2", unknown, "application/vnd.unknown+json");
    expect(errorOf(refused)).toMatchObject({
      code: "MANIFEST_INVALID",
      message: expect.stringContaining("vnd.unknown"),
    });
    expect((await room.pushManifest("a", "-bad", body)).statusCode).toBe(400);
    expect(errorOf(await room.pushManifest("b", "1", body))?.code).toBe("MANIFEST_BLOB_UNKNOWN");
    const other = { headers: { ...basic("other"), "content-type": mediaTypes.manifest }, body };
    expect((await room.call("PUT", "a/manifests/1", other)).statusCode).toBe(404);
  });

  it("takes any media type of configuration and layers, no layers at all, and layers that lie elsewhere", async () => {
    const config = { mediaType: "application/x-anything", ...(await room.pushBlob("a")) };
    const elsewhere = {
      mediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
      digest: ABSENT,
      size: 9,
      urls: ["https://store.example/x"],
    };
    for (const layers of [[], [elsewhere]]) {
      const body = JSON.stringify({ schemaVersion: 2, config, layers });
      expect((await room.pushManifest("a", "1", body)).statusCode).toBe(201);
    }
    const body = JSON.stringify({ schemaVersion: 2, config, layers: [{ ...elsewhere, mediaType: mediaTypes.layer }] });
    expect((await room.pushManifest("a", "1", body)).statusCode).toBe(404);
  });

  it("leaves what Slipway built as it is", async () => {
    const { body } = await room.pushImage("built", "mine");
    for (const answer of [
      await room.pushManifest("built", "1", body),
      await room.call("DELETE", "built/manifests/1"),
    ]) {
      expect([answer.statusCode, errorOf(answer)?.code]).toEqual([403, "DENIED"]);
    }
    const manifest = await room.registry.findManifest({ workspaceId: WORKSPACE, name: "built" }, "mine");
    const digest = manifest?.digest ?? "";
    await room.registry.putImage({ workspaceId: WORKSPACE, name: "built" }, "1", Buffer.from(body));
    expect((await room.call("DELETE", `built/manifests/${digest}`)).statusCode).toBe(403);
    expect((await room.call("DELETE", "built/manifests/mine")).statusCode).toBe(202);
  });
});

describe("referrers", () => {
  const about = (subject: { digest: string; size: number }, artifactType?: string) => ({
    subject: { mediaType: mediaTypes.manifest, digest: subject.digest, size: subject.size },
    ...(artifactType === undefined ? {} : { artifactType }),
    annotations: { by: "test" },
  });

  it("are listed under their subject, all or of one type, also before it is there", async () => {
    const subject = await room.pushImage("a", "1");
    const sbom = await room.pushImage("a", "", about(subject, "application/spdx+json"));
    expect(sbom.answer.headers["oci-subject"]).toBe(subject.digest);
    const plain = await room.pushImage("a", "", about(subject));
    const early = await room.pushImage("a", "", about({ digest: ABSENT, size: 7 }, "early"));
    const list = async (query = "", digest = subject.digest) => room.call("GET", `a/referrers/${digest}${query}`);
    const all = await list();
    expect(all.headers["content-type"]).toBe(mediaTypes.index);
    expect(all.json()).toMatchObject({ schemaVersion: 2, mediaType: mediaTypes.index });
    const expected = [
      { digest: sbom.digest, artifactType: "application/spdx+json" },
      { digest: plain.digest, artifactType: mediaTypes.config },
    ].map((one) => expect.objectContaining({ ...one, mediaType: mediaTypes.manifest, annotations: { by: "test" } }));
    expect(all.json().manifests).toHaveLength(2);
    expect(all.json().manifests).toEqual(expect.arrayContaining(expected));
    const some = await list("?artifactType=application%2Fspdx%2Bjson");
    expect(some.headers["oci-filters-applied"]).toBe("artifactType");
    expect(some.json().manifests.map(({ digest }: { digest: string }) => digest)).toEqual([sbom.digest]);
    expect((await list("", ABSENT)).json().manifests).toMatchObject([{ digest: early.digest }]);
    expect((await list("", digestOf("x"))).json().manifests).toEqual([]);
    expect((await list("", "sha256:x")).statusCode).toBe(400);
    expect((await room.call("GET", `b/referrers/${subject.digest}`)).json().manifests).toEqual([]);
    await room.call("DELETE", `a/manifests/${sbom.digest}`);
    expect((await list()).json().manifests).toMatchObject([{ digest: plain.digest }]);
  });

  it("of more than an answer may hold come in pages", async () => {
    const subject = await room.pushImage("a", "1");
    const repository = { workspaceId: WORKSPACE, name: "a" };
    const described = { mediaType: mediaTypes.manifest, digest: subject.digest, size: subject.size };
    const long = "x".repeat(1_500_000);
    const digests: string[] = [];
    for (const text of ["1", "2", "3"]) {
      const annotations = { [`long${text}`]: long };
      const attachment = { artifactType: "t", mediaType: "text/plain", document: Buffer.from(text), annotations };
      digests.push((await room.registry.attach(repository, described, attachment)).digest);
    }
    const seen: string[] = [];
    for (let url = `a/referrers/${subject.digest}?artifactType=t`; url !== ""; ) {
      const page = await room.call("GET", url);
      expect(page.rawPayload.length).toBeLessThan(4 * 1024 * 1024);
      seen.push(...page.json().manifests.map(({ digest }: { digest: string }) => digest));
      url = /^<\/v2\/team-a\/(.+)>; rel="next"$/.exec(String(page.headers.link ?? ""))?.[1] ?? "";
    }
    expect(seen).toEqual(digests.sort());
  });

  it("are what Slipway attaches itself", async () => {
    const subject = await room.pushImage("a", "1");
    const repository = { workspaceId: WORKSPACE, name: "a" };
    const described = { mediaType: mediaTypes.manifest, digest: subject.digest, size: subject.size };
    const attachment = {
      artifactType: "application/spdx+json",
      mediaType: "application/spdx+json",
      document: Buffer.from("{ }"),
    };
    const attached = await room.registry.attach(repository, described, attachment);
    expect(await room.registry.attach(repository, described, attachment)).toEqual(attached);
    expect(await room.registry.referrers(repository, subject.digest)).toEqual([attached]);
    expect(await room.registry.referrers(repository, subject.digest, "other")).toEqual([]);
    const manifest = (await room.call("GET", `a/manifests/${attached.digest}`)).json();
    expect(manifest).toMatchObject({
      artifactType: "application/spdx+json",
      config: { mediaType: mediaTypes.empty, digest: digestOf("{}"), size: 2 },
      subject: described,
    });
    for (const { digest } of [manifest.config, manifest.layers[0]]) {
      expect((await room.call("GET", `a/blobs/${digest}`)).statusCode).toBe(200);
    }
  });
});

describe("deleting", () => {
  it("a tag leaves the manifest, a manifest takes its tags, a blob goes when no manifest names it", async () => {
    const { digest, layer } = await room.pushImage("a", "1");
    await room.pushManifest("a", "2", (await room.call("GET", "a/manifests/1")).body);
    expect((await room.call("DELETE", "a/manifests/1")).statusCode).toBe(202);
    expect((await room.call("GET", "a/manifests/1")).statusCode).toBe(404);
    expect((await room.call("GET", `a/manifests/${digest}`)).statusCode).toBe(200);
    const inUse = await room.call("DELETE", `a/blobs/${layer.digest}`);
    expect([inUse.statusCode, errorOf(inUse)?.code]).toEqual([403, "DENIED"]);
    expect((await room.call("DELETE", `a/manifests/${digest}`)).statusCode).toBe(202);
    expect((await room.call("GET", "a/manifests/2")).statusCode).toBe(404);
    expect((await room.call("DELETE", `a/manifests/${digest}`)).statusCode).toBe(404);
    expect((await room.call("DELETE", `a/blobs/${layer.digest}`)).statusCode).toBe(202);
    expect((await room.call("GET", `a/blobs/${layer.digest}`)).statusCode).toBe(404);
    expect((await room.call("DELETE", `a/blobs/${layer.digest}`)).statusCode).toBe(404);
    expect((await room.call("DELETE", "a/manifests/1")).statusCode).toBe(404);
  });

  it("has no other method than those", async () => {
    for (const [method, path] of [
      ["POST", "a/manifests/1"],
      ["PATCH", `a/blobs/${ABSENT}`],
      ["DELETE", "a/tags/list"],
      ["GET", "a/blobs/uploads/"],
    ] as const) {
      const answer = await room.call(method, path);
      expect([answer.statusCode, errorOf(answer)?.code]).toEqual([405, "UNSUPPORTED"]);
    }
  });

  it("asks for credentials first, whatever comes", async () => {
    const headers = basic("wrong");
    for (const [method, path] of [
      ["POST", "a/blobs/uploads/"],
      ["PUT", "a/manifests/1"],
      ["DELETE", `a/blobs/${ABSENT}`],
      ["GET", "nothing"],
    ] as const) {
      const answer = await room.call(method, path, { headers, body: "x" });
      expect([answer.statusCode, answer.headers["www-authenticate"]]).toEqual([401, expect.stringMatching(/^Basic /)]);
    }
  });
});
