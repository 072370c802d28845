import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, rm, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { BlobStore } from "../../platform/blob-store/blob-store.ts";
import { openFileBlobStore } from "../../platform/blob-store/file-blob-store.ts";
import { systemClock } from "../../platform/clock.ts";
import { toAppError } from "../../platform/errors.ts";
import { parseImageReference } from "./image-reference.ts";
import { createRemoteRegistries, type RemoteRegistries } from "./remote-registry.ts";
import { type ScriptedRegistry, serveRegistry, sha256 } from "./test/scripted-registry.ts";

const MIB = 1024 * 1024;
const mayMount = process.getuid?.() === 0 && process.platform === "linux";

describe.skipIf(!mayMount)("a disk that gets full under a download (a tmpfs of 8 MiB; needs root to mount it)", () => {
  const large = randomBytes(16 * MIB);
  const small = randomBytes(2 * MIB);
  let mountPoint: string;
  let blobs: BlobStore;
  let registry: ScriptedRegistry;
  let remote: RemoteRegistries;
  beforeEach(async () => {
    mountPoint = await mkdtemp(join(tmpdir(), "slipway-full-disk-"));
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${8 * MIB}`, "tmpfs", mountPoint]);
    blobs = await openFileBlobStore(join(mountPoint, "blobs"));
    registry = await serveRegistry((_, response, path) => response.end(path.endsWith(sha256(large)) ? large : small));
    remote = createRemoteRegistries({ clock: systemClock, env: {} });
  });
  afterEach(async () => {
    remote.close();
    await registry.close();
    execFileSync("umount", [mountPoint]);
    await rm(mountPoint, { recursive: true });
  });

  it("is said in words, the space comes back, and what fits can be had", async () => {
    const free = async () => {
      const { bavail, bsize } = await statfs(mountPoint);
      return bavail * bsize;
    };
    const before = await free();
    const repository = remote.open(parseImageReference(`${registry.host}/team/base:1`));
    const pull = (bytes: Buffer) => {
      const descriptor = { mediaType: "application/octet-stream", digest: sha256(bytes), size: bytes.length };
      return repository.pull(descriptor, blobs, AbortSignal.timeout(30_000));
    };
    const error = toAppError(await pull(large).catch((thrown: unknown) => thrown));
    expect(error.code).toBe("DiskFull");
    expect(error.message).toContain("Free some space");
    expect(registry.requests).toHaveLength(1);
    expect(await readdir(join(mountPoint, "blobs", "partial"))).toEqual([]);
    expect(await free()).toBe(before);
    await pull(small);
    expect(await blobs.has(sha256(small))).toBe(true);
  });
});
