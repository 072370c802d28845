import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, rm, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { digestOf, openRegistryTestRoom, type RegistryTestRoom } from "./registry-test-room.ts";

const MIB = 1024 * 1024;
const mayMount = process.getuid?.() === 0 && process.platform === "linux";

describe.skipIf(!mayMount)("a full disk (a tmpfs of 8 MiB; needs root to mount it)", () => {
  let mountPoint: string;
  let room: RegistryTestRoom;
  beforeEach(async () => {
    mountPoint = await mkdtemp(join(tmpdir(), "slipway-full-registry-"));
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${8 * MIB}`, "tmpfs", mountPoint]);
    room = await openRegistryTestRoom({ folder: join(mountPoint, "data") });
  });
  afterEach(async () => {
    await room.close();
    execFileSync("umount", [mountPoint]);
    await rm(mountPoint, { recursive: true });
  });

  const free = async () => {
    const { bavail, bsize } = await statfs(mountPoint);
    return bavail * bsize;
  };

  it("denies a push in words that clients show and do not repeat, and gives the space back", async () => {
    const kept = await room.pushImage("a", "1", {}, randomBytes(MIB));
    const before = await free();
    const body = randomBytes(10 * MIB);
    const whole = await room.call("POST", `a/blobs/uploads/?digest=${digestOf(body)}`, { body });
    expect(whole.statusCode).toBe(413);
    expect(whole.json().errors[0]).toMatchObject({
      code: "DENIED",
      message: expect.stringContaining("disk of the registry is full"),
    });

    const upload = await room.begin("a");
    expect((await room.call("PATCH", upload, { body: body.subarray(0, 4 * MIB) })).statusCode).toBe(202);
    expect((await room.call("PATCH", upload, { body: body.subarray(4 * MIB) })).statusCode).toBe(413);
    expect(await readdir(room.directory)).toEqual([]);
    expect(await free()).toBeGreaterThanOrEqual(before - 64 * 1024);
    const read = await room.call("GET", `a/blobs/${kept.layer.digest}`);
    expect(digestOf(read.rawPayload)).toBe(kept.layer.digest);
    expect((await room.pushImage("a", "2", {}, randomBytes(MIB))).answer.statusCode).toBe(201);
  });
});
