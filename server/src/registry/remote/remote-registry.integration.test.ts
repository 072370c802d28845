import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { BlobStore } from "../../platform/blob-store/blob-store.ts";
import { openFileBlobStore } from "../../platform/blob-store/file-blob-store.ts";
import { systemClock } from "../../platform/clock.ts";
import { parseImageReference } from "./image-reference.ts";
import type { PushedContent } from "./pushed-content.ts";
import { createRemoteRegistries, type RemoteRegistryOptions } from "./remote-registry.ts";
import { type DebianRegistry, startDebianRegistry } from "./test/debian-registry.ts";
import { sha256 } from "./test/scripted-registry.ts";

const MB = 1024 * 1024;
const CONFIG = "application/vnd.oci.image.config.v1+json";
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const LAYER = "application/vnd.oci.image.layer.v1.tar";

// Needs Debian's docker-registry.
describe("Debian's docker-registry", () => {
  let registry: DebianRegistry;
  let folder: string;
  let blobs: BlobStore;
  const open: { close(): unknown }[] = [];
  beforeAll(async () => {
    registry = await startDebianRegistry({ tls: true });
  });
  afterAll(() => registry.close());
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "slipway-remote-"));
    blobs = await openFileBlobStore(join(folder, "blobs"));
  });
  afterEach(async () => {
    for (const one of open.splice(0)) await one.close();
    await rm(folder, { recursive: true, force: true });
  });

  const signal = () => AbortSignal.timeout(60_000);
  function client(options: Partial<RemoteRegistryOptions> = {}) {
    const ca = registry.ca === undefined ? [] : [registry.ca];
    const remote = createRemoteRegistries({ clock: systemClock, env: {}, ca, ...options });
    open.push(remote);
    return remote;
  }

  const inMemory = (bytes: Uint8Array, mediaType: string): PushedContent => ({
    ...{ mediaType, digest: sha256(bytes), size: bytes.length },
    async *read({ start, end } = { start: 0, end: bytes.length - 1 }) {
      yield bytes.subarray(start, end + 1);
    },
  });

  /** An image with one layer of random bytes. */
  function imageOf(layer: PushedContent) {
    const config = { os: "linux", architecture: "amd64", rootfs: { type: "layers", diff_ids: [layer.digest] } };
    const configuration = inMemory(Buffer.from(JSON.stringify(config)), CONFIG);
    const named = [configuration, layer].map(({ mediaType, digest, size }) => ({ mediaType, digest, size }));
    const manifest = { schemaVersion: 2, mediaType: MANIFEST, config: named[0], layers: [named[1]] };
    return { configuration, manifest: inMemory(Buffer.from(JSON.stringify(manifest)), MANIFEST) };
  }

  it("takes an image and gives it back, byte for byte", async () => {
    const layer = inMemory(randomBytes(40 * MB), LAYER);
    const { configuration, manifest } = imageOf(layer);
    const reference = parseImageReference(`${registry.host}/team/copied:1`);
    const push = client().push(reference, registry.credentials);
    expect(await push.blob(layer, signal())).toBe(true);
    expect(await push.blob(configuration, signal())).toBe(true);
    await push.manifest(manifest, signal());
    // The second time nothing is sent.
    expect(await client().push(reference, registry.credentials).blob(layer, signal())).toBe(false);

    const repository = client().open(reference, registry.credentials);
    const found = await repository.manifest("1", signal());
    expect(sha256(found.bytes)).toBe(manifest.digest);
    expect((await repository.document(configuration, signal())).length).toBe(configuration.size);
    await repository.pull(layer, blobs, signal());
    expect(await blobs.has(layer.digest)).toBe(true);

    const inspected = execFileSync(
      "skopeo",
      [
        "inspect",
        "--creds",
        "ada:secret",
        "--cert-dir",
        registry.folder,
        "--raw",
        `docker://${registry.host}/team/copied:1`,
      ],
      { env: { ...process.env, SSL_CERT_FILE: registry.caFile } },
    );
    expect(sha256(inspected)).toBe(manifest.digest);
  });

  it("refuses a wrong password and nobody, in words", async () => {
    const reference = parseImageReference(`${registry.host}/team/copied:1`);
    const wrong = client().open(reference, { username: "ada", password: "wrong" }).manifest("1", signal());
    await expect(wrong).rejects.toThrow(/refuses access to team\/copied with the given user name and password/);
    await expect(client().open(reference).manifest("1", signal())).rejects.toMatchObject({
      code: "RegistryAccessDenied",
    });
  });

  it("is not trusted without its authority, and with it only under its name", async () => {
    const reference = parseImageReference(`${registry.host}/team/copied:1`);
    await expect(client({ ca: [] }).open(reference).manifest("1", signal())).rejects.toMatchObject({
      code: "RegistryCertificate",
    });
    const trusted = client({ ca: [], env: { SSL_CERT_FILE: registry.caFile } });
    await expect(trusted.open(reference).manifest("1", signal())).rejects.toMatchObject({
      code: "RegistryAccessDenied",
    });
    const otherName = parseImageReference(`${registry.host.replace("localhost", "127.0.0.2")}/team/copied:1`);
    await expect(client().open(otherName).manifest("1", signal())).rejects.toMatchObject({
      code: expect.stringMatching(/RegistryCertificate|RegistryUnreachable/),
    });
  });

  it("is reached through a proxy, but not for the hosts of NO_PROXY", async () => {
    const proxy = await startProxy();
    open.push(proxy);
    const reference = parseImageReference(`${registry.host}/team/copied:1`);
    const env = { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` };
    await expect(client({ env }).open(reference).manifest("1", signal())).rejects.toMatchObject({
      code: "RegistryAccessDenied",
    });
    expect(proxy.tunnels).toEqual([registry.host]);
    const without = client({ env: { ...env, NO_PROXY: "localhost" } });
    await expect(without.open(reference).manifest("1", signal())).rejects.toMatchObject({
      code: "RegistryAccessDenied",
    });
    expect(proxy.tunnels).toHaveLength(1);
  });

  it("does not hang behind a proxy that says nothing", async () => {
    const proxy = await startProxy({ silent: true });
    open.push(proxy);
    const remote = client({ env: { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` }, silenceMs: 500 });
    const asked = remote.open(parseImageReference(`${registry.host}/team/copied:1`)).manifest("1", signal());
    await expect(asked).rejects.toMatchObject({ code: expect.stringMatching(/RegistrySilent|RegistryUnreachable/) });
  });

  it("is killed and started again under a download and an upload: both go on", async () => {
    const file = join(folder, "layer");
    const bytes = randomBytes(100 * MB);
    await writeFile(file, bytes);
    const layer: PushedContent = {
      ...{ mediaType: LAYER, digest: sha256(bytes), size: bytes.length },
      read: (range) => createReadStream(file, range),
    };
    const reference = parseImageReference(`${registry.host}/team/large:1`);

    let sent = 0;
    let restarting: Promise<void> | undefined;
    const restart = async () => {
      await registry.kill();
      await registry.restart();
    };
    const watched: PushedContent = {
      ...layer,
      async *read(range) {
        for await (const chunk of layer.read(range)) {
          sent += chunk.length;
          if (sent > 50 * MB) restarting ??= restart();
          yield chunk;
        }
      },
    };
    await client().push(reference, registry.credentials).blob(watched, signal());
    await restarting;
    expect(sent).toBeGreaterThan(bytes.length);
    expect(sent).toBeLessThan(2.5 * bytes.length);

    const pulling = client().open(reference, registry.credentials).pull(layer, blobs, signal());
    const partial = join(folder, "blobs", "partial");
    const arrived = async () => {
      const [file] = await readdir(partial);
      return file === undefined ? 0 : (await stat(join(partial, file))).size;
    };
    await expect.poll(arrived, { timeout: 10_000, interval: 2 }).toBeGreaterThan(MB);
    await restart();
    await pulling;
    expect(await blobs.has(layer.digest)).toBe(true);
    const hash = createHash("sha256");
    for await (const chunk of blobs.read(layer.digest)) hash.update(chunk);
    expect(`sha256:${hash.digest("hex")}`).toBe(layer.digest);
  });
});

async function startProxy(options: { readonly silent?: boolean } = {}) {
  const tunnels: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((_, response) => response.writeHead(400).end());
  server.on("connection", (socket) => sockets.add(socket));
  server.on("connect", (request, socket: Socket) => {
    tunnels.push(request.url ?? "");
    if (options.silent === true) return;
    const [host, port] = (request.url ?? "").split(":");
    const upstream = connect(Number(port), host, () => {
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      socket.pipe(upstream).pipe(socket);
    });
    sockets.add(upstream);
    for (const one of [socket, upstream]) one.on("error", () => one.destroy());
  });
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  return {
    tunnels,
    port: (server.address() as AddressInfo).port,
    close() {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}
