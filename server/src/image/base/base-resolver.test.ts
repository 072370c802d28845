import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openFileBlobStore } from "../../platform/blob-store/file-blob-store.ts";
import { manualClock } from "../../platform/clock.ts";
import { migrateToLatest } from "../../platform/database/migrate.ts";
import { openSqlite } from "../../platform/database/sqlite.ts";
import {
  createRegistry,
  mediaTypes,
  type Registry,
  type RegistryTables,
  type Repository,
  registryMigration,
  registryPushMigration,
} from "../../registry/index.ts";
import { createRemoteRegistries } from "../../registry/remote/index.ts";
import type { BaseRequest } from "./base-image.ts";
import { createBaseResolver } from "./base-resolver.ts";
import { type BaseTables, baseMigration } from "./base-tables.ts";

const sha256 = (bytes: Uint8Array) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
const mine: Repository = { workspaceId: "w1", name: "base" };
const shared: Repository = { workspaceId: "w0", name: "base" };

describe("bases of the built-in registry", () => {
  let room: Awaited<ReturnType<typeof openRoom>>;
  beforeEach(async () => {
    room = await openRoom();
  });
  afterEach(() => room.close());

  it("finds the base of the Python version, with layers, configuration and interpreter", async () => {
    const { digest } = await room.pushBase(mine, "python3.11", ["usr/bin/python3.11"]);
    const base = await room.resolve({ pythonVersion: "3.11.4" });
    expect(base).toMatchObject({
      reference: "base:python3.11",
      digest,
      platform: { os: "linux", architecture: "amd64" },
      pythonPath: "/usr/bin/python3.11",
      config: { env: { PATH: "/usr/bin", LANG: "C.UTF-8" }, user: "1000" },
    });
    expect(base.layers).toHaveLength(1);
    expect(await room.registry.findLayer(base.layers[0]?.digest ?? "")).toMatchObject({ source: { type: "blob" } });
  });

  it("looks in the shared repository of the default workspace, too", async () => {
    const { digest } = await room.pushBase(shared, "python3.12", ["usr/local/bin/python3.12"]);
    expect((await room.resolve({ pythonVersion: "3.12" })).digest).toBe(digest);
  });

  it("takes any Python's base for an image without Python: the newest", async () => {
    await room.pushBase(mine, "python3.9", ["usr/bin/python3.9"]);
    const { digest } = await room.pushBase(mine, "python3.11", ["usr/bin/python3.11"]);
    expect((await room.resolve({})).digest).toBe(digest);
  });

  it("stays with the digest until it is told to look again", async () => {
    const first = await room.pushBase(mine, "python3.11", ["usr/bin/python3.11"]);
    await room.resolve({ pythonVersion: "3.11" });
    const second = await room.pushBase(mine, "python3.11", ["usr/bin/python3.11", "etc/new"]);
    expect(second.digest).not.toBe(first.digest);
    expect((await room.resolve({ pythonVersion: "3.11" })).digest).toBe(first.digest);
    expect((await room.resolve({ pythonVersion: "3.11", refresh: true })).digest).toBe(second.digest);
    expect((await room.resolve({ pythonVersion: "3.11" })).digest).toBe(second.digest);
  });

  it("reads an image of this registry by its whole name, but none of another workspace", async () => {
    const { digest } = await room.pushBase({ workspaceId: "w1", name: "mine" }, "7", ["usr/bin/python3.11"]);
    await room.pushBase({ workspaceId: "w0", name: "theirs" }, "1", ["usr/bin/python3.11"]);
    const base = await room.resolve({ reference: "slipway.test:8443/team/mine:7", pythonVersion: "3.11" });
    expect(base.digest).toBe(digest);
    await expect(room.resolve({ reference: "slipway.test:8443/default/theirs:1" })).rejects.toMatchObject({
      code: "BaseNotFound",
    });
    await expect(room.resolve({ reference: "slipway.test:8443/nobody/mine:7" })).rejects.toMatchObject({
      code: "BaseNotFound",
    });
  });

  it("stands on what the installation names, with the minor version in its place", async () => {
    const named = await openRoom("slipway.test:8443/default/base:special-{python}");
    try {
      const { digest } = await named.pushBase(shared, "special-3.11", ["usr/bin/python3.11"]);
      await named.pushBase(mine, "python3.11", ["usr/bin/python3.11", "etc/other"]);
      expect((await named.resolve({ pythonVersion: "3.11.2" })).digest).toBe(digest);
    } finally {
      await named.close();
    }
  });

  it("takes the genuine client's own default for no wish at all", async () => {
    const { digest } = await room.pushBase(mine, "python3.11", ["usr/bin/python3.11"]);
    const reference = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04:20240101";
    expect((await room.resolve({ reference, pythonVersion: "3.11" })).digest).toBe(digest);
    expect(room.asked()).toBe(0);
  });

  it("shows a login to no other registry than the one that it is for", async () => {
    const asked = { reference: "other.example.test/base:1", pythonVersion: "3.11" };
    const login = (host: string) => ({ credentials: { username: "ada", password: "x", host } });
    for (const host of ["registry.example.test", "other.example.test"]) {
      await expect(room.resolve({ ...asked, ...login(host) })).rejects.toMatchObject({ code: "RegistryUnreachable" });
    }
    expect(room.logins()).toEqual([undefined, "ada"]);
  });

  it("says which Python a base has instead of the one that is needed", async () => {
    await room.pushBase({ workspaceId: "w1", name: "mine" }, "7", ["usr/bin/python3.9", "usr/bin/python3.12"]);
    const asked = { reference: "slipway.test:8443/team/mine:7", pythonVersion: "3.11" };
    await expect(room.resolve(asked)).rejects.toThrow(/has no Python 3\.11 .* found there: 3\.9, 3\.12\./);
  });

  it("refuses a base of another architecture", async () => {
    await room.pushBase({ workspaceId: "w1", name: "mine" }, "7", ["usr/bin/python3.11"]);
    const asked = { reference: "slipway.test:8443/team/mine:7", architecture: "arm64" };
    await expect(room.resolve(asked)).rejects.toMatchObject({ code: "PlatformNotOffered" });
  });

  it("refuses a layer that is not what the configuration announces", async () => {
    const name = { workspaceId: "w1", name: "mine" };
    await room.pushBase(name, "7", ["usr/bin/python3.11"], `sha256:${"0".repeat(64)}`);
    await expect(room.resolve({ reference: "slipway.test:8443/team/mine:7" })).rejects.toMatchObject({
      code: "LayerInvalid",
    });
    expect(await room.registry.tags(name)).toEqual(["7"]);
  });

  it("does not ask for the default base again for ten minutes after a failure", async () => {
    const failing = room.resolve({ pythonVersion: "3.11" });
    await expect(failing).rejects.toMatchObject({ code: "BaseNotFound" });
    await expect(failing).rejects.toThrow(/base:python3\.11.*library\/python:3\.11-slim-bookworm/);
    expect(room.asked()).toBe(1);
    await expect(room.resolve({ pythonVersion: "3.11" })).rejects.toMatchObject({ code: "BaseNotFound" });
    expect(room.asked()).toBe(1);
    room.clock.advance(11 * 60_000);
    await expect(room.resolve({ pythonVersion: "3.11" })).rejects.toMatchObject({ code: "BaseNotFound" });
    expect(room.asked()).toBe(2);
  });
});

async function openRoom(defaultReference?: string) {
  const folder = await mkdtemp(join(tmpdir(), "slipway-base-"));
  const database = openSqlite<BaseTables & RegistryTables>(":memory:");
  await migrateToLatest(database, { "1": registryMigration, "2": registryPushMigration, "3": baseMigration });
  const clock = manualClock();
  const blobs = await openFileBlobStore(join(folder, "blobs"));
  const registry = createRegistry({ database, clock, blobs });
  const real = createRemoteRegistries({ clock, env: { HTTPS_PROXY: "http://127.0.0.1:9" } });
  let opened = 0;
  const logins: (string | undefined)[] = [];
  const resolver = createBaseResolver({
    ...{ database, clock, blobs, registry },
    remote: {
      ...real,
      open(reference, credentials) {
        const repository = real.open(reference, credentials);
        logins.push(credentials?.username);
        return {
          ...repository,
          manifest(target, signal) {
            opened++;
            return repository.manifest(target, signal);
          },
        };
      },
    },
    registryHost: "slipway.test:8443",
    defaultReference,
    async findNamespace(namespace) {
      if (namespace === undefined || namespace === "default") return { id: "w0", namespace: "default" };
      return namespace === "team" ? { id: "w1", namespace } : undefined;
    },
  });
  return {
    ...{ registry, clock, blobs },
    asked: () => opened,
    logins: () => logins,
    resolve: (request: Partial<BaseRequest>) =>
      resolver.resolve({
        workspaceId: "w1",
        architecture: "amd64",
        signal: AbortSignal.timeout(50_000),
        ...request,
      }),
    pushBase: (repository: Repository, tag: string, paths: readonly string[], diffId?: string) =>
      pushBase(registry, blobs, repository, tag, paths, diffId),
    async close() {
      real.close();
      await database.destroy();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function pushBase(
  registry: Registry,
  blobs: Awaited<ReturnType<typeof openFileBlobStore>>,
  repository: Repository,
  tag: string,
  paths: readonly string[],
  diffId?: string,
) {
  const tar = pack();
  for (const name of paths) tar.entry({ name, mtime: new Date(0) }, name);
  tar.finalize();
  const plain = await buffer(tar);
  const layer = gzipSync(plain);
  const stored = await blobs.put(once(layer));
  const config = await registry.putDocument(mediaTypes.config, {
    os: "linux",
    architecture: "amd64",
    config: { Env: ["PATH=/usr/bin", "LANG=C.UTF-8"], User: "1000", Cmd: null },
    rootfs: { type: "layers", diff_ids: [diffId ?? sha256(plain)] },
  });
  const described = { mediaType: mediaTypes.layerGzip, digest: stored.digest, size: stored.sizeBytes };
  const manifest = await registry.putDocument(mediaTypes.manifest, { schemaVersion: 2, config, layers: [described] });
  await registry.tagManifest(repository, tag, manifest, [config, described]);
  return manifest;
}

async function* once(bytes: Uint8Array) {
  yield bytes;
}
