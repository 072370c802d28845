import { mkdtemp, readlink, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runFolder } from "../replica/run-folder.ts";
import type { Deployment } from "../target.ts";
import { checkInfo } from "./check-engine.ts";
import { containerSettings } from "./container-settings.ts";
import { containerUser } from "./container-user.ts";
import { engineReference } from "./ensure-image.ts";
import { outerSockets, replicaFolder } from "./replica-folder.ts";

const info = { NCPU: 2, MemTotal: 1, Architecture: "x86_64" };
const deployment = { id: "abc", cpu: 0.5, memoryBytes: 1e9, workspace: "default", service: "echo" } as Deployment;

function settings(SecurityOptions: string[] = []) {
  return containerSettings({
    deployment,
    folder: replicaFolder(runFolder("/data/containers", "abc", 0)),
    imageId: "sha256:1",
    installation: "here",
    user: { uid: 31_000, gid: 31_000, keepId: false, owner: 31_000 },
    info: { ...info, SecurityOptions },
    network: "none",
    limits: [],
    timeZone: undefined,
  });
}

test("a container has nothing that user code does not need", () => {
  expect(settings()).toMatchObject({
    User: "31000:31000",
    HostConfig: {
      ReadonlyRootfs: true,
      CapDrop: ["ALL"],
      SecurityOpt: ["no-new-privileges"],
      NetworkMode: "none",
      RestartPolicy: { Name: "no" },
      CpuShares: 512,
      Memory: 1e9,
      MemorySwap: 1e9,
    },
  });
  expect(settings().HostConfig).not.toHaveProperty("Privileged");
  expect(settings().HostConfig).not.toHaveProperty("PortBindings");
});

test("only the shared folder and the logs are mounted, with a label where the machine wants one", () => {
  expect(settings().HostConfig).toMatchObject({
    Mounts: [
      { Source: "/data/containers/abc-0/shared", Target: "/run/slipway" },
      { Source: "/data/containers/abc-0/logs", Target: "/run/slipway/logs" },
    ],
  });
  expect(settings(["name=seccomp", "name=selinux"]).HostConfig).toMatchObject({
    Binds: ["/data/containers/abc-0/shared:/run/slipway:rw,Z", "/data/containers/abc-0/logs:/run/slipway/logs:rw,Z"],
  });
});

const spare = { first: 30_000, count: 30_000 };

test.each([
  ["root gives each deployment an id of its own", 0, [], false, { keepId: false, owner: expect.any(Number) }],
  ["in the group docker: our own id", 1000, [], false, { uid: 1000, gid: 100, keepId: false }],
  ["rootless Docker calls us root", 1000, ["name=rootless"], false, { uid: 0, gid: 0, keepId: false }],
  ["rootless Podman keeps our id", 1000, ["name=rootless"], true, { uid: 1000, gid: 100, keepId: true }],
])("%s", (_, uid, SecurityOptions, isPodman, expected) => {
  const user = containerUser(
    "abc",
    { uid, gid: 100, spare: uid === 0 ? spare : undefined },
    { SecurityOptions },
    isPodman,
  );
  expect(user).toEqual({ uid: expect.any(Number), gid: expect.any(Number), ...expected });
  if (uid === 0) expect(user.uid).toBeGreaterThanOrEqual(spare.first);
});

test("an image is called after its repository, version and digest, and never looked for elsewhere", () => {
  const imageDigest = `sha256:${"0123456789abcdef".repeat(4)}`;
  expect(engineReference({ imageDigest, imageLocation: "localhost:8443/default/digits:3" })).toBe(
    "localhost/slipway/default/digits:3-0123456789ab",
  );
  expect(engineReference({ imageDigest, imageLocation: `registry.example.org/team/a/b@${imageDigest}` })).toBe(
    "localhost/slipway/team/a/b:latest-0123456789ab",
  );
});

test("sockets in a deep folder are reached by a short link, made once", async () => {
  const short = await mkdtemp(join(tmpdir(), "s-"));
  const folder = replicaFolder(runFolder(join("/srv", "x".repeat(100)), "abc", 0));
  const { framesSocket } = await outerSockets(folder, short);
  expect(Buffer.byteLength(framesSocket)).toBeLessThan(100);
  expect(await readlink(join(framesSocket, ".."))).toBe(folder.shared);
  expect((await outerSockets(folder, short)).framesSocket).toBe(framesSocket);
  await rm(short, { recursive: true });
});

test.each([
  ["name=rootless", 0, "another user's"],
  ["name=userns", 0, "userns-remap"],
])("an engine with %s that cannot share folders is refused", (option, uid, reason) => {
  expect(checkInfo({ SecurityOptions: ["name=seccomp,profile=default", option] }, { uid })).toMatchObject({
    ok: false,
    reason: expect.stringContaining(reason),
  });
});

test("an engine that cannot limit memory is refused; a rootless one of one's own is not", () => {
  expect(checkInfo({ MemoryLimit: false }, { uid: 0 })).toMatchObject({ ok: false });
  expect(checkInfo({ MemoryLimit: true, SecurityOptions: ["name=rootless"] }, { uid: 1000 })).toEqual({ ok: true });
  expect(checkInfo({ SecurityOptions: null }, { uid: 0 })).toEqual({ ok: true });
});
