import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { engineFinder, socketOf, usualSockets } from "./find-engine.ts";

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
