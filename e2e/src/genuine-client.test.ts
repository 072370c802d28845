import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startDebianRegistry } from "../../server/src/registry/remote/test/debian-registry.ts";
import { hasGenuineClient, type Installation, repository, run, startInstallation } from "./harness/installation.ts";

/** The promise "the genuine client works": azureml-core from PyPI, unmodified, judged by scripts that use it as people do. */
describe.skipIf(!hasGenuineClient)("the genuine azureml-core", () => {
  let slipway: Installation;
  let folder: string;

  beforeAll(async () => {
    // None, whatever this machine has: then RUN steps are refused.
    slipway = await startInstallation(["--container-engine", "unix:///nonexistent/engine.sock"]);
    folder = await mkdtemp(join(tmpdir(), "slipway-scripts-"));
  });
  afterAll(async () => {
    await slipway?.dispose();
    await rm(folder, { recursive: true, force: true });
  });

  /** Each script has a workspace of its own, which `slipway exec` creates because config.json names it. */
  async function script(name: string, args: readonly string[] = []) {
    const cwd = await mkdtemp(join(folder, `${name}-`));
    const workspace = {
      subscription_id: "11111111-1111-1111-1111-111111111111",
      resource_group: "rg1",
      workspace_name: `ws-${name}`,
    };
    await writeFile(join(cwd, "config.json"), JSON.stringify(workspace));
    const finished = await slipway.python(`${name}.py`, args, { cwd });
    expect(finished.code, finished.output).toBe(0);
    expect(finished.stderr).toContain(`Created the workspace ws-${name}`);
    return finished;
  }

  test("signs in and finds its workspaces", async () => {
    const { stdout } = await slipway.slipway(["access", "create", "ci", "--output", "json"]);
    const { clientId, clientSecret } = JSON.parse(stdout) as { clientId: string; clientSecret: string };
    await script("workspaces", [clientId, clientSecret]);
  });

  test("registers, lists, downloads, changes and deletes models", async () => {
    await script("models");
  });

  test("builds images and deploys, updates and deletes services", async () => {
    await script("services");
  });

  test("gives services certificates of their own, and limits", async () => {
    const { stdout } = await script("edges");
    expect(stdout.match(/^ok: .*/gm)).toHaveLength(5);
  });

  test("finds its models by path, and deploys with InferenceConfig and Environment", async () => {
    await script("model_paths");
  });

  test("stands on bases of private registries, and takes Docker steps", async () => {
    const registry = await startDebianRegistry({ tls: false });
    try {
      const { username, password } = registry.credentials;
      const make = [process.execPath, join(repository, "scripts/make-base-image.ts"), "--to"];
      const env = { SLIPWAY_REGISTRY_USERNAME: username, SLIPWAY_REGISTRY_PASSWORD: password };
      const made = await run([...make, `${registry.host}/team/base:1`], {
        env,
        timeoutMs: 300_000,
      });
      expect(made.code, made.output).toBe(0);
      const { stdout } = await script("bases", [registry.host, username, password]);
      // The client ends its dots without a new line.
      expect(stdout.match(/ok: (base of|RUN is refused|base_dockerfile)/g)).toHaveLength(3);
    } finally {
      await registry.close();
    }
  });

  test("is told the cause of every failure", async () => {
    await script("causes");
  });
});
