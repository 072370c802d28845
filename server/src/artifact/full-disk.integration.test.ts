import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readdir, rm, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ArtifactTestRoom, openArtifactRoom, reserve } from "./artifact-test-room.ts";

const SIZE_BYTES = 8 * 1024 * 1024;
const mayMount = process.getuid?.() === 0 && process.platform === "linux";

describe.skipIf(!mayMount)("a full disk (a tmpfs of 8 MiB; needs root to mount it)", () => {
  let mountPoint: string;
  let room: ArtifactTestRoom;
  beforeEach(async () => {
    mountPoint = await mkdtemp(join(tmpdir(), "slipway-full-disk-"));
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${SIZE_BYTES}`, "tmpfs", mountPoint]);
    room = await openArtifactRoom(mountPoint);
  });
  afterEach(async () => {
    await room.close();
    execFileSync("umount", [mountPoint]);
    await rm(mountPoint, { recursive: true });
  });

  const freeBytes = async () => {
    const { bavail, bsize } = await statfs(mountPoint);
    return bavail * bsize;
  };
  const address = async (path: string, sha256?: string) =>
    (await reserve(room, "c", [sha256 === undefined ? { path } : { path, sha256 }])).upload(path);
  const put = (url: string, payload: Buffer, headers = {}) => room.app.inject({ method: "PUT", url, payload, headers });
  const block = (url: string, index: number, payload: Buffer) =>
    put(`${url}&comp=block&blockid=${btoa(String(index))}`, payload, {
      "x-slipway-offset": String(index * 1024 * 1024),
    });

  it("refuses an upload in words that the genuine client does not repeat, and gives the space back", async () => {
    const free = await freeBytes();
    const answer = await put(await address("m"), randomBytes(10 * 1024 * 1024));
    expect(answer.statusCode).toBe(413);
    expect(answer.headers["x-ms-error-code"]).toBe("DiskFull");
    expect(answer.body).toContain("Free some space");
    expect(await readdir(join(room.directory, "blobs", "incoming"))).toEqual([]);
    expect(await freeBytes()).toBe(free);
    expect((await put(await address("m"), randomBytes(1024 * 1024))).statusCode).toBe(201);
  });

  it("forgets the blocks of a client that cannot go on, and keeps those of one that can", async () => {
    const fill = async (url: string) => {
      for (let index = 0; ; index += 1) {
        const answer = await block(url, index, randomBytes(1024 * 1024));
        if (answer.statusCode !== 201) return answer;
      }
    };
    const free = await freeBytes();
    expect((await fill(await address("genuine"))).headers["x-ms-error-code"]).toBe("DiskFull");
    expect(await freeBytes()).toBeGreaterThan(free - 1024 * 1024);

    const whole = createHash("sha256").update("any").digest("hex");
    const url = await address("own", whole);
    expect((await fill(url)).statusCode).toBe(413);
    const listed = await room.app.inject(`${url}&comp=blocklist`);
    expect(listed.body.match(/<Name>/g)?.length).toBeGreaterThanOrEqual(5);
  });
});
