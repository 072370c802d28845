import { mkdtemp, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runFolder } from "../replica/run-folder.ts";
import type { Deployment } from "../target.ts";
import { checkInfo } from "./check-engine.ts";
import { containerSettings } from "./container-settings.ts";
import { containerUser } from "./container-user.ts";
import { engineReference } from "./ensure-image.ts";
import { engineFinder, socketOf, usualSockets } from "./find-engine.ts";
import { ownLimits } from "./own-process.ts";
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

test.each([
  "tcp://localhost:2375",
  "ssh://me@host",
  "npipe:////./pipe/docker_engine",
  "/var/run/docker.sock",
  "unix://x",
])("%s is no engine of this machine", (address) => {
  expect(() => socketOf(address)).toThrow(expect.objectContaining({ code: "EngineAddressUnsupported" }));
});

test("engines are looked for where they usually are; a named one is the only one", async () => {
  expect(socketOf("unix:///run/docker.sock")).toBe("/run/docker.sock");
  expect(usualSockets({ XDG_RUNTIME_DIR: "/run/user/1000" }).at(-1)).toBe("/run/user/1000/podman/podman.sock");
  const env = { DOCKER_HOST: "unix:///run/a.sock", CONTAINER_HOST: "unix:///run/b.sock" };
  expect((await engineFinder({ address: "unix:///run/c.sock", env, file: "/nonexistent" })()).socketPath).toBe(
    "/run/c.sock",
  );
  expect((await engineFinder({ address: undefined, env, file: "/nonexistent" })()).socketPath).toBe("/run/a.sock");
});

test("the engine that was found is the same in the next life", async () => {
  const folder = await mkdtemp(join(tmpdir(), "slipway-find-"));
  const file = join(folder, "engine.json");
  await writeFile(file, '{"socketPath": "/run/before.sock"}');
  expect((await engineFinder({ address: undefined, env: {}, file })()).socketPath).toBe("/run/before.sock");
  await rm(folder, { recursive: true });
});

test("limits are no higher than this machine's, and left alone where it has none", async () => {
  const folder = await mkdtemp(join(tmpdir(), "slipway-limits-"));
  const file = join(folder, "limits");
  await writeFile(
    file,
    "Max processes             96365  96365  processes\nMax open files            1024  20000  files\n",
  );
  expect(await ownLimits(file)).toEqual([
    { Name: "nofile", Soft: 20_000, Hard: 20_000 },
    { Name: "nproc", Soft: 20_000, Hard: 20_000 },
  ]);
  await writeFile(file, "Max processes             unlimited unlimited processes\n");
  expect(await ownLimits(file)).toEqual([]);
  await rm(folder, { recursive: true });
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
