import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { BlobStore } from "../../platform/blob-store/blob-store.ts";
import { openFileBlobStore } from "../../platform/blob-store/file-blob-store.ts";
import { manualClock, systemClock } from "../../platform/clock.ts";
import { parseImageReference } from "./image-reference.ts";
import { createRemoteRegistries, type RemoteRegistries, type RemoteRegistryOptions } from "./remote-registry.ts";
import { type ScriptedRegistry, serveRegistry, sha256 } from "./test/scripted-registry.ts";

const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 251));
const blob = { mediaType: "application/octet-stream", digest: sha256(bytes), size: bytes.length };
const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2 }));
const credentials = { username: "ada", password: "pass:word" };
const basic = `Basic ${Buffer.from("ada:pass:word").toString("base64")}`;

describe("a registry elsewhere", () => {
  const open: { close(): unknown }[] = [];
  let folder: string;
  let blobs: BlobStore;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "slipway-remote-"));
    blobs = await openFileBlobStore(join(folder, "blobs"));
  });
  afterEach(async () => {
    for (const one of open.splice(0)) await one.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function serve(answer: Parameters<typeof serveRegistry>[0]): Promise<ScriptedRegistry> {
    const registry = await serveRegistry(answer);
    open.push(registry);
    return registry;
  }
  function client(options: Partial<RemoteRegistryOptions> = {}): RemoteRegistries {
    const remote = createRemoteRegistries({ clock: systemClock, env: {}, silenceMs: 10_000, ...options });
    open.push(remote);
    return remote;
  }
  const repository = (host: string, remote = client(), secret?: typeof credentials) =>
    remote.open(parseImageReference(`${host}/team/base:1`), secret);
  const signal = () => AbortSignal.timeout(50_000);
  const partial = () => readdir(join(folder, "blobs", "partial"));

  const fine = (_: IncomingMessage, response: ServerResponse) =>
    response.writeHead(200, { "Content-Type": "application/vnd.oci.image.manifest.v1+json" }).end(manifest);

  describe("signs in", () => {
    const challenge = (host: string, more = "") => ({
      "WWW-Authenticate": `Bearer realm="http://${host}/token",service="the, \\"registry\\"",scope="x"${more}`,
    });

    it("without credentials when the registry gives tokens to everybody", async () => {
      const registry = await serve((request, response, path) => {
        if (path.startsWith("/token")) return response.end(JSON.stringify({ access_token: "t1", expires_in: 300 }));
        if (request.headers.authorization === "Bearer t1") return fine(request, response);
        return response.writeHead(401, challenge(request.headers.host ?? "")).end();
      });
      const opened = repository(registry.host);
      expect((await opened.manifest("1", signal())).bytes).toEqual(manifest);
      await opened.manifest("1", signal());
      expect(registry.requests).toEqual([
        "GET /v2/team/base/manifests/1",
        "GET /token?service=the%2C+%22registry%22&scope=repository%3Ateam%2Fbase%3Apull",
        "GET /v2/team/base/manifests/1",
        "GET /v2/team/base/manifests/1",
      ]);
    });

    it("with user name and password where tokens are given, never at the registry itself", async () => {
      const registry = await serve((request, response, path) => {
        if (path.startsWith("/token")) {
          return request.headers.authorization === basic
            ? response.end(JSON.stringify({ token: "t1" }))
            : response.writeHead(401).end();
        }
        if (request.headers.authorization === "Bearer t1") return fine(request, response);
        return response.writeHead(401, challenge(request.headers.host ?? "")).end();
      });
      await repository(registry.host, client(), credentials).manifest("1", signal());
      expect(registry.authorizations).toEqual([undefined, basic, "Bearer t1"]);
      await expect(repository(registry.host).manifest("1", signal())).rejects.toMatchObject({
        code: "RegistryAccessDenied",
        kind: "forbidden",
      });
    });

    it("anew when the token has expired, by the clock or by the registry's word", async () => {
      let given = 0;
      const registry = await serve((request, response, path) => {
        if (path.startsWith("/token")) {
          return response.end(JSON.stringify({ token: `t${++given}`, expires_in: 60 }));
        }
        const isLast = request.headers.authorization === `Bearer t${given}`;
        if (isLast && given !== 2) return fine(request, response);
        return response.writeHead(401, challenge(request.headers.host ?? "")).end();
      });
      const clock = manualClock();
      const opened = repository(registry.host, client({ clock }));
      await opened.manifest("1", signal());
      clock.advance(55_000);
      // Too old, so it is not even sent; the second token is refused, which ends it, and the third is good again.
      await expect(opened.manifest("1", signal())).rejects.toMatchObject({ code: "RegistryAccessDenied" });
      await opened.manifest("1", signal());
      expect(registry.authorizations.filter((one) => one === "Bearer t1")).toHaveLength(1);
      expect(given).toBe(3);
    });

    it("by user name and password where the registry wants just them", async () => {
      const registry = await serve((request, response) =>
        request.headers.authorization === basic
          ? fine(request, response)
          : response.writeHead(401, { "WWW-Authenticate": 'Basic realm="all"' }).end(),
      );
      await repository(registry.host, client(), credentials).manifest("1", signal());
      const denied = repository(registry.host).manifest("1", signal());
      await expect(denied).rejects.toThrow(/refuses access to team\/base without credentials/);
    });

    it("and says no secret when it is refused", async () => {
      const registry = await serve((_, response) => response.writeHead(403).end());
      const denied = repository(registry.host, client(), credentials).manifest("1", signal());
      await expect(denied).rejects.toMatchObject({ code: "RegistryAccessDenied" });
      await expect(denied).rejects.not.toThrow(/pass:word/);
    });

    it("and gives credentials to no place that is without encryption elsewhere", async () => {
      const registry = await serve((_, response) =>
        response
          .writeHead(401, { "WWW-Authenticate": 'Bearer realm="http://tokens.example.test/token",service="s"' })
          .end(),
      );
      await expect(repository(registry.host, client(), credentials).manifest("1", signal())).rejects.toMatchObject({
        code: "RedirectRefused",
      });
    });
  });

  describe("sends elsewhere", () => {
    it("but the credentials stay here", async () => {
      const elsewhere = await serve((_, response) => response.end(bytes));
      const registry = await serve((request, response) =>
        request.headers.authorization === basic
          ? response.writeHead(307, { Location: `http://${elsewhere.host}/stored?signature=x` }).end()
          : response.writeHead(401, { "WWW-Authenticate": "Basic realm=x" }).end(),
      );
      await repository(registry.host, client(), credentials).pull(blob, blobs, signal());
      expect(await blobs.has(blob.digest)).toBe(true);
      expect(registry.authorizations).toEqual([undefined, basic]);
      expect(elsewhere.authorizations).toEqual([undefined]);
    });

    it.each([
      ["in circles", (host: string) => `http://${host}/v2/team/base/manifests/1`],
      ["to a place without encryption", () => "http://storage.example.test/x"],
      ["to something else than the web", () => "file:///etc/passwd"],
      ["with credentials of its own", () => "https://root:pw@storage.example.test/x"],
      ["nowhere", () => "http://["],
    ])("%s: refused", async (_name, location) => {
      const registry = await serve((request, response) =>
        response.writeHead(302, { Location: location(request.headers.host ?? "") }).end(),
      );
      await expect(repository(registry.host).manifest("1", signal())).rejects.toMatchObject({
        code: "RedirectRefused",
      });
      expect(registry.requests.length).toBeLessThan(8);
    });
  });

  describe("is busy or broken", () => {
    it("and asks to wait: the client waits and comes again", async () => {
      let asked = 0;
      const registry = await serve((request, response) =>
        ++asked < 3 ? response.writeHead(429, { "Retry-After": "0" }).end() : fine(request, response),
      );
      await repository(registry.host).manifest("1", signal());
      expect(asked).toBe(3);
    });

    it("for longer than anybody waits: an error that says how long", async () => {
      const registry = await serve((_, response) => response.writeHead(429, { "Retry-After": "3600" }).end());
      const busy = repository(registry.host).manifest("1", signal());
      await expect(busy).rejects.toMatchObject({ code: "RegistryBusy" });
      await expect(busy).rejects.toThrow(/3600 s/);
      expect(registry.requests).toHaveLength(1);
    });

    it("for ever: it is not asked for ever", async () => {
      const registry = await serve((_, response) => response.writeHead(503, { "Retry-After": "0" }).end());
      await expect(repository(registry.host).manifest("1", signal())).rejects.toMatchObject({ code: "RegistryFailed" });
      expect(registry.requests.length).toBeLessThanOrEqual(4);
    });

    it("says nothing: the client does not hang", async () => {
      const registry = await serve(() => {});
      const started = performance.now();
      await expect(repository(registry.host, client({ silenceMs: 300 })).manifest("1", signal())).rejects.toMatchObject(
        { code: "RegistrySilent" },
      );
      expect(performance.now() - started).toBeLessThan(9_000);
    });

    it("accepts the connection only: the client does not hang", async () => {
      const server = createTcpServer(() => {});
      server.listen(0, "127.0.0.1");
      await new Promise((resolve) => server.once("listening", resolve));
      open.push({ close: () => server.close() });
      const { port } = server.address() as { port: number };
      const asked = repository(`127.0.0.1:${port}`, client({ silenceMs: 300 })).manifest("1", signal());
      await expect(asked).rejects.toMatchObject({ code: "RegistrySilent" });
    });

    it("falls silent in the middle of a part: it ends, and nothing of it is left", async () => {
      const registry = await serve((_, response) => {
        response.writeHead(200, { "Content-Length": bytes.length });
        response.write(bytes.subarray(0, 1000));
      });
      const pulled = repository(registry.host, client({ silenceMs: 200 })).pull(blob, blobs, signal());
      await expect(pulled).rejects.toMatchObject({ code: "RegistrySilent" });
      expect(await partial()).toEqual([]);
    });

    it("is not there, or has no name", async () => {
      const registry = await serve(fine);
      await registry.close();
      await expect(repository(registry.host).manifest("1", signal())).rejects.toMatchObject({
        code: "RegistryUnreachable",
      });
      await expect(repository("registry.invalid").manifest("1", signal())).rejects.toMatchObject({
        code: "RegistryHostUnknown",
      });
    });

    it("does not have the image", async () => {
      const registry = await serve((_, response) => response.writeHead(404).end("{}"));
      await expect(repository(registry.host).manifest("1", signal())).rejects.toMatchObject({
        code: "RemoteImageNotFound",
      });
    });

    it("can be left at any time", async () => {
      const registry = await serve(() => {});
      const stop = new AbortController();
      const asked = repository(registry.host).manifest("1", stop.signal);
      stop.abort(new Error("enough"));
      await expect(asked).rejects.toThrow("enough");
    });
  });

  describe("gives a part", () => {
    it("through a connection that breaks again and again: it goes on where it broke", async () => {
      const registry = await serve((request, response) => {
        const start = Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
        const headers = start === 0 ? {} : { "Content-Range": `bytes ${start}-${bytes.length - 1}/${bytes.length}` };
        response.writeHead(start === 0 ? 200 : 206, { ...headers, "Content-Length": bytes.length - start });
        response.write(bytes.subarray(start, start + 100_000), () => {
          if (start + 100_000 < bytes.length) response.destroy();
        });
      });
      await repository(registry.host).pull(blob, blobs, signal());
      expect(await blobs.has(blob.digest)).toBe(true);
      expect(registry.requests).toHaveLength(3);
    });

    it("from the beginning although a later part was asked for: nothing comes twice", async () => {
      let asked = 0;
      const registry = await serve((_, response) => {
        response.writeHead(200, { "Content-Length": bytes.length });
        if (++asked > 1) return response.end(bytes);
        return response.write(bytes.subarray(0, 1234), () => response.destroy());
      });
      await repository(registry.host).pull(blob, blobs, signal());
      expect(await blobs.has(blob.digest)).toBe(true);
    });

    it("a byte at a time with a new connection for each: it does not go on for ever", async () => {
      const registry = await serve((request, response) => {
        const start = Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
        response.writeHead(start === 0 ? 200 : 206, {
          "Content-Range": `bytes ${start}-${bytes.length - 1}/${bytes.length}`,
          "Content-Length": bytes.length - start,
        });
        response.write(bytes.subarray(start, start + 1), () => response.destroy());
      });
      await expect(repository(registry.host).pull(blob, blobs, signal())).rejects.toMatchObject({
        code: "ConnectionBroken",
      });
      expect(registry.requests.length).toBeLessThan(20);
    });

    it("wanted three times at once: it comes once, also when who asked first leaves", async () => {
      const large = Buffer.concat(Array.from({ length: 10 }, () => bytes));
      const wanted = { ...blob, digest: sha256(large), size: large.length };
      const registry = await serve((request, response) => {
        const start = Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
        const headers = { "Content-Range": `bytes ${start}-${large.length - 1}/${large.length}` };
        response.writeHead(start === 0 ? 200 : 206, headers);
        if (start === 0) response.write(large.subarray(0, 2_500_000));
        else response.end(large.subarray(start));
      });
      const stop = new AbortController();
      const leaving = repository(registry.host).pull(wanted, blobs, stop.signal);
      const others = [1, 2].map(() => repository(registry.host).pull(wanted, blobs, signal()));
      const half = join(folder, "blobs", "partial", wanted.digest.slice("sha256:".length));
      await vi.waitFor(async () => expect((await stat(half)).size).toBeGreaterThan(0), { timeout: 30_000 });
      expect(registry.requests).toHaveLength(1);
      stop.abort(new Error("enough"));
      await expect(leaving).rejects.toThrow("enough");
      await Promise.all(others);
      expect(await blobs.has(wanted.digest)).toBe(true);
      expect(registry.requests).toHaveLength(2);
      expect(await partial()).toEqual([]);
    });

    it.each([
      ["on from what had come", bytes.subarray(0, 123_456), ["bytes=123456-"]],
      ["not at all when everything had come", bytes, []],
      ["anew when what had come is not what it was", Buffer.alloc(1000), ["bytes=1000-", undefined]],
      ["anew when too much had come", Buffer.concat([bytes, bytes]), [undefined]],
    ])("after the process was killed: %s", async (_name, left, ranges) => {
      await writeFile(join(folder, "blobs", "partial", blob.digest.slice("sha256:".length)), left);
      const asked: (string | undefined)[] = [];
      const registry = await serve((request, response) => {
        const { range } = request.headers;
        asked.push(range);
        const start = Number(/bytes=(\d+)-/.exec(range ?? "")?.[1] ?? 0);
        const headers = { "Content-Range": `bytes ${start}-${bytes.length - 1}/${bytes.length}` };
        response.writeHead(range === undefined ? 200 : 206, headers).end(bytes.subarray(start));
      });
      await repository(registry.host).pull(blob, await openFileBlobStore(join(folder, "blobs")), signal());
      expect(await blobs.has(blob.digest)).toBe(true);
      expect(asked).toEqual(ranges);
      expect(await partial()).toEqual([]);
    });

    it.each([
      ["with other bytes", Buffer.alloc(bytes.length), "RemoteBlobCorrupt"],
      ["that is too long", Buffer.concat([bytes, bytes]), "RemoteBlobCorrupt"],
      ["that is too short", bytes.subarray(0, 1000), "RemoteBlobCorrupt"],
    ])("%s: nothing of it is kept", async (_name, wrong, code) => {
      const registry = await serve((request, response) => {
        const start = Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
        if (start >= wrong.length) return response.writeHead(416).end();
        return response.end(wrong);
      });
      await expect(repository(registry.host).pull(blob, blobs, signal())).rejects.toMatchObject({ code });
      expect(await blobs.has(blob.digest)).toBe(false);
      expect(await partial()).toEqual([]);
    });

    it("without end: it is cut where the announced size ends", async () => {
      const registry = await serve((_, response) => {
        response.writeHead(200);
        const write = () => {
          while (!response.destroyed && response.write(bytes));
        };
        response.on("drain", write);
        write();
      });
      await expect(repository(registry.host).pull(blob, blobs, signal())).rejects.toMatchObject({
        code: "RemoteBlobCorrupt",
      });
    });

    it("as a small document: size and digest are checked as well", async () => {
      const registry = await serve((_, response) => response.end(bytes));
      const opened = repository(registry.host);
      expect(await opened.document(blob, signal())).toEqual(bytes);
      await expect(opened.document({ ...blob, size: 5 }, signal())).rejects.toMatchObject({
        code: "RemoteBlobCorrupt",
      });
      await expect(opened.document({ ...blob, digest: sha256(Buffer.from("other")) }, signal())).rejects.toMatchObject({
        code: "RemoteBlobCorrupt",
      });
      await expect(opened.document({ ...blob, size: 1e9 }, signal())).rejects.toMatchObject({
        code: "ManifestInvalid",
      });
    });
  });

  it("gives a manifest of endless size: no more than 4 MiB are read", async () => {
    const registry = await serve((_, response) => {
      response.writeHead(200);
      const write = () => {
        while (!response.destroyed && response.write(bytes));
      };
      response.on("drain", write);
      write();
    });
    await expect(repository(registry.host).manifest("1", signal())).rejects.toMatchObject({ code: "ManifestInvalid" });
  });

  it("gives another manifest than the one asked for by digest", async () => {
    const registry = await serve(fine);
    const opened = repository(registry.host);
    await opened.manifest(sha256(manifest), signal());
    await expect(opened.manifest(sha256(bytes), signal())).rejects.toMatchObject({ code: "RemoteBlobCorrupt" });
  });
});
