import { randomBytes } from "node:crypto";
import { readdir, utimes } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { setImmediate } from "node:timers/promises";
import { sql } from "kysely";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type CollectionRules, defaultRules, garbageCollection } from "./collect-garbage.ts";
import { createGarbageStore } from "./garbage-store.ts";
import { mediaTypes } from "./registry.ts";
import { digestOf, openRegistryTestRoom, type RegistryTestRoom, WORKSPACE } from "./registry-test-room.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const { signal } = new AbortController();

let room: RegistryTestRoom;
let garbage: ReturnType<typeof garbageCollection>;
let openOperations: string[];
beforeEach(async () => {
  room = await openRegistryTestRoom();
  openOperations = [];
  const options = { cacheTables: ["cache"], openOperationTexts: async () => openOperations, namedRows: [] };
  const { database, blobs, uploads, clock } = room;
  await sql`create table elsewhere (id integer, document text)`.execute(database);
  await sql`create table cache (document text)`.execute(database);
  garbage = garbageCollection({ store: createGarbageStore(database, options), blobs, uploads, clock });
});
afterEach(() => room.close());

/** The clock goes on, and all files look as if nobody had touched them meanwhile. */
async function pass(ms: number): Promise<void> {
  room.clock.advance(ms);
  await age(ms);
}

async function age(ms: number): Promise<void> {
  for await (const digest of room.blobs.list()) {
    const path = room.blobs.path(digest);
    const time = new Date(room.clock.now().getTime() - ms);
    await utimes(path, time, time);
  }
}

async function collect(rules: CollectionRules = defaultRules) {
  await garbage.endStaleUploads(rules);
  const forgotten = await garbage.forget(rules);
  return { ...forgotten, ...(await garbage.deleteBlobs(rules, signal)) };
}

/** So that what runs beside it comes in every order. */
async function turns(): Promise<void> {
  for (let left = Math.random() * 100; left > 0; left--) await setImmediate();
}

const put = (text: string | Buffer) => room.blobs.put(Readable.from([Buffer.from(text)]));
const stored = async () => {
  const digests: string[] = [];
  for await (const digest of room.blobs.list()) digests.push(digest);
  return digests;
};

describe("collecting garbage", () => {
  it("leaves all that is named, wherever the name stands, and deletes the rest", async () => {
    const image = await room.pushImage("a", "1");
    const elsewhere = await put("named in a table that nobody told the registry of");
    await sql`insert into elsewhere values (1, ${JSON.stringify({ deep: [{ in: elsewhere.digest }] })})`.execute(
      room.database,
    );
    const building = await put("named by an open operation only");
    openOperations = [`{"layers":["${building.digest}"]}`];
    const cached = await put("remembered by a cache only");
    await sql`insert into cache values (${cached.digest})`.execute(room.database);
    const stray = await put("named by nothing");
    await pass(DAY_MS + 1);
    expect(await collect()).toMatchObject({ manifests: 0, blobs: 2, bytes: cached.sizeBytes + stray.sizeBytes });
    const left = await stored();
    expect(left).toEqual(expect.arrayContaining([elsewhere.digest, building.digest, image.digest, image.layer.digest]));
    expect(left).toHaveLength(5);
    expect((await room.call("GET", "a/manifests/1")).statusCode).toBe(200);
  });

  it("leaves what is young, or was asked for a moment ago", async () => {
    const young = await put("stored today");
    const asked = await put("stored long ago");
    await pass(DAY_MS + 1);
    await put("stored today");
    expect(await room.blobs.has(asked.digest)).toBe(true);
    expect(await collect()).toMatchObject({ blobs: 0 });
    await pass(DAY_MS + 1);
    expect(await collect()).toMatchObject({ blobs: 2 });
    expect(await stored()).not.toContain(young.digest);
  });

  it("never takes less than an hour for young", async () => {
    await put("stored a moment ago");
    await pass(HOUR_MS - 60_000);
    expect(await collect({ graceHours: 0, untaggedDays: 0 })).toMatchObject({ blobs: 0 });
    await pass(HOUR_MS + 1);
    expect(await collect({ graceHours: 0, untaggedDays: 0 })).toMatchObject({ blobs: 1 });
  });

  it("deletes an image some days after its last name went, with what is attached to it", async () => {
    const image = await room.pushImage("a", "1", {}, "old");
    const subject = { mediaType: mediaTypes.manifest, digest: image.digest, size: image.size };
    const signature = await room.pushImage("a", "", { subject }, "signature");
    const child = await room.pushImage("a", "", {}, "child");
    const index = {
      schemaVersion: 2,
      manifests: [{ mediaType: mediaTypes.manifest, digest: child.digest, size: child.size }],
    };
    await room.pushManifest("a", "multi", JSON.stringify(index), mediaTypes.index);
    await pass(30 * DAY_MS);
    expect(await collect()).toMatchObject({ manifests: 0, blobs: 0 });

    await room.pushImage("a", "1", {}, "new");
    expect(await collect()).toMatchObject({ manifests: 0, blobs: 0 });
    await pass(6 * DAY_MS);
    expect(await collect()).toMatchObject({ manifests: 0, blobs: 0 });
    expect((await room.call("GET", `a/manifests/${image.digest}`)).statusCode).toBe(200);
    await pass(2 * DAY_MS);
    expect(await collect()).toMatchObject({ manifests: 2, pushedBlobs: 2, blobs: 4 });
    expect((await room.call("GET", `a/manifests/${image.digest}`)).statusCode).toBe(404);
    expect((await room.call("GET", `a/manifests/${signature.digest}`)).statusCode).toBe(404);
    expect((await room.call("GET", `a/blobs/${image.layer.digest}`)).statusCode).toBe(404);
    for (const reference of ["1", "multi", child.digest]) {
      expect((await room.call("GET", `a/manifests/${reference}`)).statusCode).toBe(200);
    }
    expect((await room.call("GET", `a/blobs/${child.layer.digest}`)).body).toBe("child");
  });

  it("an image that gets a name again stays", async () => {
    const image = await room.pushImage("a", "1");
    await room.call("DELETE", "a/manifests/1");
    await collect();
    await pass(6 * DAY_MS);
    await room.pushManifest("a", "2", image.body);
    await collect();
    await room.call("DELETE", "a/manifests/2");
    await pass(2 * DAY_MS);
    expect(await collect()).toMatchObject({ manifests: 0 });
    await pass(8 * DAY_MS);
    expect(await collect()).toMatchObject({ manifests: 1 });
  });

  it("forgets pushed blobs and layers that no manifest came to name, when nobody asked for them for a day", async () => {
    const pushed = await room.pushBlob("a", "pushed, but never named");
    const model = await put("a model");
    const layer = await room.registry.addFilesLayer([{ name: "m", ...model }], signal);
    await pass(DAY_MS + 1);
    expect((await room.call("HEAD", `a/blobs/${pushed.digest}`)).statusCode).toBe(200);
    expect(await room.registry.findLayer(layer.digest)).toBeDefined();
    expect(await collect()).toMatchObject({ pushedBlobs: 0, layers: 0, blobs: 0 });
    await pass(DAY_MS + 1);
    expect(await collect()).toMatchObject({ pushedBlobs: 1, layers: 1, blobs: 2 });
    expect(await room.registry.findLayer(layer.digest)).toBeUndefined();
    expect((await room.call("HEAD", `a/blobs/${pushed.digest}`)).statusCode).toBe(404);
  });

  it("ends uploads that nobody went on with", async () => {
    const upload = await room.begin("a");
    await room.call("PATCH", upload, { body: "half" });
    expect(await garbage.endStaleUploads(defaultRules)).toEqual({ uploads: 0, bytes: 0 });
    room.clock.advance(DAY_MS + 60_000);
    expect(await garbage.endStaleUploads(defaultRules)).toEqual({ uploads: 1, bytes: 4 });
    expect(await readdir(room.directory)).toEqual([]);
    expect((await room.call("PATCH", upload, { body: "rest" })).statusCode).toBe(404);
  });

  it("a preview says the same and changes nothing", async () => {
    await room.pushImage("a", "1", {}, "old");
    await room.pushImage("a", "1", {}, "new");
    await put("named by nothing");
    await collect();
    await pass(8 * DAY_MS);
    const before = await stored();
    const preview = await garbage.preview(defaultRules, signal);
    expect(await stored()).toEqual(before);
    expect(await garbage.preview(defaultRules, signal)).toEqual(preview);
    const { uploads, ...said } = preview;
    expect(uploads).toBe(0);
    expect(said).toEqual({ ...(await collect()) });
    expect(said).toMatchObject({ manifests: 1, pushedBlobs: 1, blobs: 3 });
  });

  it("never takes away what is pushed, named or built while it works", async () => {
    const repository = (name: string) => ({ workspaceId: WORKSPACE, name });
    /** Makes an image of the bytes in one of the three ways. @returns where its layer is, or the blob */
    async function use(body: Buffer, index: number): Promise<{ name?: string; digest: string }> {
      const name = `r${index}`;
      await turns();
      if (index % 3 === 0) {
        const { answer, layer } = await room.pushImage(name, "1", {}, body);
        expect(answer.statusCode).toBe(201);
        return { name, digest: layer.digest };
      }
      const blob = await put(body);
      await turns();
      if (index % 3 === 1) {
        await sql`insert into elsewhere values (${index}, ${blob.digest})`.execute(room.database);
        return { digest: blob.digest };
      }
      const layer = await room.registry.addFilesLayer([{ name: "m", ...blob }], signal);
      const described = { mediaType: mediaTypes.layer, digest: layer.digest, size: layer.sizeBytes };
      const config = await room.registry.putDocument(mediaTypes.config, { index });
      const manifest = await room.registry.putDocument(mediaTypes.manifest, { config, layers: [described] });
      await room.registry.tagManifest(repository(name), "1", manifest, [config, described]);
      return { name, digest: layer.digest };
    }

    const used: { name?: string; digest: string }[] = [];
    let deleted = 0;
    for (let round = 0; round < 12; round++) {
      // Old garbage that comes again while it is being deleted: the same bytes, the same blobs.
      const bodies = Array.from({ length: 9 }, () => randomBytes(500));
      const strays = Array.from({ length: 9 }, () => randomBytes(100));
      const old = await Promise.all([...bodies, ...strays].map(put));
      // Only these files grow old: what is written from now on has the time of the clock.
      for (const { digest } of old) await utimes(room.blobs.path(digest), new Date(0), new Date(0));
      const uses = bodies.map((body, index) => use(body, round * 9 + index));
      const [{ blobs }, ...places] = await Promise.all([collect(), ...uses]);
      used.push(...places);
      deleted += blobs;
    }
    expect(deleted).toBeGreaterThanOrEqual(12 * 9);
    await pass(2 * DAY_MS);
    await collect();
    for (const { name, digest } of used) {
      if (name === undefined) {
        expect(await room.blobs.has(digest)).toBe(true);
        continue;
      }
      expect((await room.call("GET", `${name}/manifests/1`)).statusCode).toBe(200);
      const read = await room.call("GET", `${name}/blobs/${digest}`);
      expect(digestOf(read.rawPayload)).toBe(digest);
    }
    expect(await readdir(join(room.folder, "blobs", "incoming"))).toEqual([]);
  });
});
