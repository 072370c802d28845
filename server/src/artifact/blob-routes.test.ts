import { createHash, randomBytes } from "node:crypto";
import { readdir, stat, utimes } from "node:fs/promises";
import { type ClientRequest, request as httpRequest } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ArtifactTestRoom, openArtifactRoom, reserve } from "./artifact-test-room.ts";

let room: ArtifactTestRoom;
beforeEach(async () => {
  room = await openArtifactRoom();
});
afterEach(() => room.close());

const hash = (algorithm: string, bytes: string | Buffer) => createHash(algorithm).update(bytes).digest("base64");
const hex = (bytes: string | Buffer) => createHash("sha256").update(bytes).digest("hex");
const blockId = (index: number) => Buffer.from(`block-${String(index).padStart(6, "0")}`).toString("base64");
const blockList = (...ids: string[]) =>
  `<?xml version="1.0" encoding="utf-8"?><BlockList>${ids.map((id) => `<Latest>${id}</Latest>`).join("")}</BlockList>`;

const ifNew = { "if-none-match": "*" };

function put(url: string, payload: string | Buffer, headers: Record<string, string> = {}, app = room.app) {
  return app.inject({ method: "PUT", url, payload, headers });
}
const putBlock = (url: string, index: number, payload: string | Buffer, headers = {}, app = room.app) =>
  put(`${url}&comp=block&blockid=${encodeURIComponent(blockId(index))}&timeout=30`, payload, headers, app);
const commit = (url: string, indexes: readonly number[], headers: Record<string, string> = ifNew, app = room.app) =>
  put(`${url}&comp=blocklist`, blockList(...indexes.map(blockId)), headers, app);

async function addressFor(path: string, sha256?: string): Promise<string> {
  return (await reserve(room, "c", [sha256 === undefined ? { path } : { path, sha256 }])).upload(path);
}
const stored = (path: string) => room.artifacts.readText("ws1", `LocalUpload/c/${path}`, 1_000_000);
async function blobCount(): Promise<number> {
  let count = 0;
  for await (const _ of room.blobs.list()) count += 1;
  return count;
}
const unfinished = () => readdir(join(room.directory, "blobs", "incoming"));

describe("one PUT", () => {
  it("stores the bytes, and HEAD and GET tell of them", async () => {
    const url = await addressFor("m");
    const answer = await put(url, "0123456789", {
      ...ifNew,
      "x-ms-blob-type": "BlockBlob",
      "content-type": "application/json",
      "content-sha256": hash("sha256", "0123456789"),
      "content-md5": hash("md5", "0123456789"),
      "x-ms-version": "2021-08-06",
      "x-ms-client-request-id": "abc",
    });
    expect(answer.statusCode).toBe(201);
    expect(answer.headers).toMatchObject({ "x-ms-version": "2021-08-06", "x-ms-client-request-id": "abc" });
    expect(answer.headers.etag).toBeTruthy();
    expect(answer.headers["last-modified"]).toMatch(/^\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT$/);
    const head = await room.app.inject({ method: "HEAD", url });
    expect(head.statusCode).toBe(200);
    expect(head.headers).toMatchObject({
      "content-length": "10",
      "x-ms-blob-type": "BlockBlob",
      etag: answer.headers.etag,
    });
    expect(await stored("m")).toBe("0123456789");
  });

  it("keeps a file of 0 bytes", async () => {
    const url = await addressFor("empty");
    expect((await put(url, "", ifNew)).statusCode).toBe(201);
    expect((await room.app.inject({ method: "HEAD", url })).headers["content-length"]).toBe("0");
    expect(await stored("empty")).toBe("");
  });

  it.each([
    ["content-sha256", hash("sha256", "other"), "BlobDigestMismatch"],
    ["content-md5", hash("md5", "other"), "Md5Mismatch"],
    ["content-sha256", "abc", "InvalidHeaderValue"],
    ["content-md5", hash("sha256", "bytes"), "InvalidHeaderValue"],
    ["x-ms-blob-type", "PageBlob", "InvalidHeaderValue"],
    ["if-none-match", '"etag"', "InvalidHeaderValue"],
  ])("refuses the bytes over %s: %s, and stores nothing", async (name, value, code) => {
    const url = await addressFor("m");
    const answer = await put(url, "bytes", { [name]: value });
    expect(answer.statusCode).toBe(400);
    expect(answer.headers["x-ms-error-code"]).toBe(code);
    expect(answer.headers["content-type"]).toContain("application/xml");
    expect(answer.body).toContain(`<Code>${code}</Code>`);
    expect(await blobCount()).toBe(0);
    expect(await unfinished()).toEqual([]);
    expect((await room.app.inject({ method: "HEAD", url })).statusCode).toBe(404);
  });

  it("is refused when the artifact has content already", async () => {
    const url = await addressFor("m");
    await put(url, "first", ifNew);
    for (const headers of [ifNew, {}]) {
      const answer = await put(url, "second", headers as Record<string, string>);
      expect(answer.statusCode).toBe(409);
      expect(answer.headers["x-ms-error-code"]).toBe("BlobAlreadyExists");
    }
    expect((await put(url, "first", ifNew)).statusCode).toBe(409);
    expect((await put(url, "first")).statusCode).toBe(201);
    expect(await stored("m")).toBe("first");
  });

  it("lets one of two writers win, with its bytes", async () => {
    const addresses = [await addressFor("m"), await addressFor("m")];
    const contents = ["a", "b"].map((letter) => letter.repeat(200_000));
    const answers = await Promise.all(addresses.map((url, index) => put(url, contents[index] ?? "", ifNew)));
    expect(answers.map((answer) => answer.statusCode).sort()).toEqual([201, 409]);
    const winner = answers.findIndex((answer) => answer.statusCode === 201);
    expect(await stored("m")).toBe(contents[winner]);
  });
});

describe("the address", () => {
  it("is refused when it is forged, expired, or for something else", async () => {
    const url = await addressFor("m");
    const other = await addressFor("other");
    const query = (address: string) => address.slice(address.indexOf("?"));
    const forged = [
      url.slice(0, url.indexOf("?")),
      url.replace(/sig=.{4}/, "sig=AAAA"),
      url.replace(/se=\d+/, "se=99999999999"),
      url.replace("sp=w", "sp=r"),
      url.replace(/si=\w{4}/, "si=0000"),
      `${url.slice(0, url.indexOf("?"))}${query(other)}`,
      `${url}&sp=w`,
    ];
    for (const address of forged) {
      const answer = await put(address, "x");
      expect(answer.statusCode, address).toBe(403);
      expect(answer.headers["x-ms-error-code"]).toBe("AuthenticationFailed");
    }
    room.clock.advance(25 * 60 * 60 * 1000);
    const late = await put(url, "x");
    expect(late.statusCode).toBe(403);
    expect(late.body).toContain("expired");
    expect(await blobCount()).toBe(0);
  });

  it("for writing does not read, and the other way round", async () => {
    const url = await addressFor("m");
    await put(url, "secret");
    expect((await room.app.inject(url)).statusCode).toBe(403);
    const { contentUri } = (await room.app.inject("/artifacts/contentinfo/LocalUpload/c/m")).json();
    const reading = contentUri.replace("https://slipway.test:8443", "");
    expect((await put(reading, "x")).statusCode).toBe(403);
    expect((await room.app.inject(`${reading}&comp=blocklist`)).statusCode).toBe(403);
    expect((await room.app.inject(reading)).body).toBe("secret");
  });

  it("of an artifact that nobody reserved is unknown", async () => {
    const { uploadUri } = room.addresses.forWriting("0".repeat(32));
    const answer = await put(uploadUri.replace("https://slipway.test:8443", ""), "x");
    expect(answer.statusCode).toBe(404);
    expect(answer.headers["x-ms-error-code"]).toBe("BlobNotFound");
  });
});

describe("ranges", () => {
  it.each([
    ["bytes=2-4", 206, "234", "bytes 2-4/10"],
    ["bytes=7-", 206, "789", "bytes 7-9/10"],
    ["bytes=-3", 206, "789", "bytes 7-9/10"],
    ["bytes=5-99", 206, "56789", "bytes 5-9/10"],
    ["bytes=10-", 416, "", "bytes */10"],
    ["bytes=4-2", 200, "0123456789", undefined],
    ["bytes=0-1,3-4", 200, "0123456789", undefined],
    ["lines=1", 200, "0123456789", undefined],
  ])("%s gives %i", async (range, status, body, contentRange) => {
    await put(await addressFor("m"), "0123456789");
    const { contentUri } = (await room.app.inject("/artifacts/contentinfo/LocalUpload/c/m")).json();
    const url = contentUri.replace("https://slipway.test:8443", "");
    const answer = await room.app.inject({ url, headers: { range } });
    expect([answer.statusCode, answer.body]).toEqual([status, body]);
    expect(answer.headers["content-range"]).toBe(contentRange);
    expect(answer.headers["content-disposition"]).toBe("attachment");
  });
});

describe("blocks", () => {
  it("come in any order and at once", async () => {
    const url = await addressFor("m");
    const blocks = Array.from({ length: 12 }, (_, index) => randomBytes(10_000 + index));
    const order = [...blocks.keys()].reverse();
    const answers = await Promise.all(
      order.map((index) => {
        const bytes = blocks[index] ?? Buffer.alloc(0);
        return putBlock(url, index, bytes, { "content-sha256": hash("sha256", bytes) });
      }),
    );
    expect(answers.map((answer) => answer.statusCode)).toEqual(order.map(() => 201));
    expect((await commit(url, [...blocks.keys()])).statusCode).toBe(201);
    const [file] = await room.artifacts.resolve("ws1", "LocalUpload/c/m");
    expect(file?.digest).toBe(`sha256:${hex(Buffer.concat(blocks))}`);
    expect(await readdir(room.uploadsDirectory)).toEqual([]);
  });

  it("become the file as they lie when they came in its order, or said where they belong", async () => {
    const whole = randomBytes(30_000);
    const part = (index: number) => whole.subarray(index * 10_000, (index + 1) * 10_000);
    const inOrder = await addressFor("in-order");
    for (const index of [0, 1, 2]) await putBlock(inOrder, index, part(index));
    expect((await commit(inOrder, [0, 1, 2])).statusCode).toBe(201);
    const placed = await addressFor("placed", hex(whole));
    const at = (index: number) => ({ "x-slipway-offset": String(index * 10_000) });
    await Promise.all([2, 0, 1].map((index) => putBlock(placed, index, part(index), at(index))));
    expect((await commit(placed, [0, 1, 2], {})).statusCode).toBe(201);
    for (const path of ["in-order", "placed"]) {
      const [file] = await room.artifacts.resolve("ws1", `LocalUpload/c/${path}`);
      expect(file?.digest).toBe(`sha256:${hex(whole)}`);
    }
  });

  it("cannot lie about where they belong", async () => {
    const whole = "aaaabbbb";
    const url = await addressFor("m", hex(whole));
    await putBlock(url, 0, "bbbb", { "x-slipway-offset": "0" });
    await putBlock(url, 1, "aaaa", { "x-slipway-offset": "4" });
    const answer = await commit(url, [0, 1], {});
    expect(answer.headers["x-ms-error-code"]).toBe("BlobDigestMismatch");
    // After that the client begins again, under the same address.
    await putBlock(url, 0, "aaaa", { "x-slipway-offset": "0" });
    await putBlock(url, 1, "bbbb", { "x-slipway-offset": "4" });
    expect((await commit(url, [0, 1], {})).statusCode).toBe(201);
    expect(await stored("m")).toBe(whole);
  });

  it("that are sent again replace what came before; a list may use a block twice or leave one out", async () => {
    const url = await addressFor("m");
    for (const [index, text] of [
      [0, "old"],
      [1, "b"],
      [0, "new"],
      [2, "never listed"],
    ] as const)
      await putBlock(url, index, text);
    expect((await commit(url, [1, 0, 1])).statusCode).toBe(201);
    expect(await stored("m")).toBe("bnewb");
  });

  it("with a wrong checksum do not count, and keep the one before", async () => {
    const url = await addressFor("m");
    await putBlock(url, 0, "good");
    const answer = await putBlock(url, 0, "evil", { "content-sha256": hash("sha256", "good") });
    expect(answer.statusCode).toBe(400);
    expect(answer.headers["x-ms-error-code"]).toBe("Sha256Mismatch");
    await commit(url, [0]);
    expect(await stored("m")).toBe("good");
  });

  it("of two writers never mix", async () => {
    const [one, two] = [await addressFor("m"), await addressFor("m")];
    await Promise.all([
      putBlock(one, 0, "1111"),
      putBlock(two, 0, "2222"),
      putBlock(one, 1, "11"),
      putBlock(two, 1, "22"),
    ]);
    const answers = await Promise.all([commit(one, [0, 1]), commit(two, [0, 1])]);
    expect(answers.map((answer) => answer.statusCode).sort()).toEqual([201, 409]);
    expect(["111111", "222222"]).toContain(await stored("m"));
    expect((await putBlock(one, 2, "late")).headers["x-ms-error-code"]).toBe("BlobAlreadyExists");
  });

  it("survive a restart, and a client that announced its file finds them", async () => {
    const whole = "first second";
    const before = await addressFor("m", hex(whole));
    await putBlock(before, 0, "first ");
    const app = await room.start();
    try {
      const url = await addressFor("m", hex(whole));
      const listed = await app.inject(`${url}&comp=blocklist&blocklisttype=uncommitted`);
      expect(listed.body).toContain(`<Block><Name>${blockId(0)}</Name><Size>6</Size></Block>`);
      await putBlock(url, 1, "second", {}, app);
      expect((await commit(url, [0, 1], {}, app)).statusCode).toBe(201);
      expect((await commit(url, [0, 1], {}, app)).statusCode).toBe(201);
      expect(await stored("m")).toBe(whole);
    } finally {
      await app.close();
    }
  });

  it("nobody committed for a week are removed at the next start", async () => {
    const [old, young] = [await addressFor("old"), await addressFor("young")];
    await putBlock(old, 0, "x");
    await putBlock(young, 0, "y");
    const eightDaysAgo = new Date(room.clock.now().getTime() - 8 * 24 * 60 * 60 * 1000);
    const [, , oldId = ""] = old.split("/");
    for (const area of await readdir(join(room.uploadsDirectory, oldId))) {
      const folder = join(room.uploadsDirectory, oldId, area);
      for (const name of await readdir(folder)) await utimes(join(folder, name), eightDaysAgo, eightDaysAgo);
      await utimes(folder, eightDaysAgo, eightDaysAgo);
    }
    await (await room.start()).close();
    expect(await readdir(room.uploadsDirectory)).toEqual([young.split("/")[2]]);
  });

  it.each([
    [blockList(blockId(7)), "was never sent"],
    ["no xml <", "BlockList"],
    ["<Other/>", "BlockList"],
    ["<BlockList><Committed>QQ==</Committed></BlockList>", "committed"],
    ["<BlockList><Latest>not base64!</Latest></BlockList>", "base64"],
    ["<BlockList><Latest/></BlockList>", "base64"],
    ["<BlockList><Evil>QQ==</Evil></BlockList>", "Evil"],
    ['<!DOCTYPE x [<!ENTITY a "QQ==">]><BlockList><Latest>&a;</Latest></BlockList>', "document type"],
    [Buffer.from([0xff, 0xfe]), "UTF-8"],
  ])("are not put together by the list %j", async (list, part) => {
    const url = await addressFor("m");
    await putBlock(url, 0, "x");
    const answer = await put(`${url}&comp=blocklist`, list, ifNew);
    expect(answer.statusCode).toBe(400);
    expect(answer.headers["x-ms-error-code"]).toBe("InvalidBlockList");
    expect(answer.body).toContain(part);
    expect((await commit(url, [0])).statusCode).toBe(201);
  });

  it("need a block id, and a list that is not endless", async () => {
    const url = await addressFor("m");
    for (const id of ["", "%21%21", "a".repeat(200)])
      expect((await put(`${url}&comp=block&blockid=${id}`, "x")).statusCode).toBe(400);
    expect((await put(`${url}&comp=lease`, "x")).statusCode).toBe(400);
    const answer = await put(`${url}&comp=blocklist`, " ".repeat(9 * 1024 * 1024));
    expect(answer.statusCode).toBe(413);
  });
});

describe("over a real connection", () => {
  async function open(url: string, bytes: number): Promise<ClientRequest> {
    await room.app.listen({ host: "127.0.0.1", port: 0 });
    const { port } = room.app.server.address() as AddressInfo;
    return httpRequest({ port, path: url, method: "PUT", headers: { "content-length": bytes } });
  }
  async function eventually(check: () => Promise<boolean>): Promise<void> {
    const deadline = Date.now() + 10_000;
    while (!(await check())) {
      if (Date.now() > deadline) throw new Error("It did not happen within 10 s.");
      await nextTurn();
    }
  }

  it("an upload that breaks off leaves nothing", async () => {
    const upload = await open(await addressFor("m"), 1_000_000);
    upload.on("error", () => {});
    upload.write(randomBytes(500_000));
    await eventually(async () => (await unfinished()).length === 1);
    upload.destroy();
    await eventually(async () => (await unfinished()).length === 0);
    expect(await blobCount()).toBe(0);
    expect(room.logged).toEqual([]);
  });

  it("a client that still sends gets to read why it is refused", async () => {
    const url = await addressFor("m");
    const upload = await open(url.replace(/sig=.{4}/, "sig=AAAA"), 8_000_000);
    const status = new Promise((resolve, reject) => {
      upload.on("response", (response) => resolve(response.resume().statusCode));
      upload.on("error", reject);
    });
    upload.end(randomBytes(8_000_000));
    expect(await status).toBe(403);
  });

  it("a block that never ends does not hold up or spoil a commit", async () => {
    const url = await addressFor("m");
    const hanging = await open(`${url}&comp=block&blockid=${encodeURIComponent(blockId(0))}`, 1_000_000);
    hanging.on("error", () => {});
    hanging.write(Buffer.alloc(100, "x"));
    await eventually(async () => (await readdir(room.uploadsDirectory)).length === 1);
    await putBlock(url, 0, "good");
    expect((await commit(url, [0])).statusCode).toBe(201);
    const [file] = await room.artifacts.resolve("ws1", "LocalUpload/c/m");
    const answer = new Promise((resolve) => hanging.on("response", (response) => resolve(response.statusCode)));
    hanging.end(Buffer.alloc(999_900, "x"));
    expect(await answer).toBe(409);
    expect(await stored("m")).toBe("good");
    expect((await stat(room.blobs.path(file?.digest ?? ""))).size).toBe(4);
  });
});
