import { createHash } from "node:crypto";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runCommand } from "../platform/child-process.ts";
import { systemClock } from "../platform/clock.ts";
import { createHttpApp, type HttpApp } from "../platform/http/app.ts";
import { silentLog } from "../platform/log.ts";
import { mediaTypes, openBlobUploads, registryRoutes } from "../registry/index.ts";
import { type ImageTestRoom, openImageTestRoom, tarGz, wrapperDriver } from "./image-test-room.ts";

const CONDA_FILE = `name: project_environment
dependencies:
  - python=3.11
  - pip:
    - numpy
`;
const SCORE = `import os, numpy, helper
from lib import util
def init():
    global model
    model = open(os.path.join(os.environ["AZUREML_MODEL_DIR"], "model.txt")).read()
def run(raw):
    return model + helper.WORD + util.WORD + str(numpy.arange(3).sum())
`;
const authorization = `Basic ${btoa("user:secret")}`;

interface Manifest {
  readonly config: { readonly digest: string };
  readonly layers: readonly { readonly digest: string; readonly size: number; readonly mediaType: string }[];
}

// Needs Python, uv or pip, and a package index.
describe("an image with a Python environment", () => {
  let room: ImageTestRoom;
  let app: HttpApp;
  let registryUrl: string;
  beforeAll(async () => {
    room = await openImageTestRoom();
    await room.runner.start();
    await room.registerModel("words", "model.txt", "a ");
    app = createHttpApp() as HttpApp;
    registryRoutes(app, {
      registry: room.registry,
      log: silentLog,
      uploads: await openBlobUploads({ ...room, clock: systemClock, directory: join(room.folder, "registry-uploads") }),
      ownerOf: async () => undefined,
      verify: async (_namespace, username, password) =>
        username === "user" && password === "secret"
          ? { workspaceId: room.workspace.id, namespace: "default" }
          : undefined,
    });
    registryUrl = await app.listen({ host: "127.0.0.1", port: 0 });
  });
  afterAll(async () => {
    await app.close();
    await room.close();
  });

  /** As the genuine client asks for it: absolute paths without their first slash, one archive each, the script last. */
  async function build(helper: string) {
    const at = "home/me/proj";
    const archive = async (id: string, ...members: { name: string; content?: string; type?: "directory" }[]) =>
      room.asset(id, id, await tarGz(members), true);
    const image = await room.images.create(room.workspace.id, {
      name: "words-image",
      modelIds: ["words:1"],
      driverProgram: "driver",
      assets: [
        await room.asset("driver", "tmpdriver.py", wrapperDriver("score.py")),
        await archive("1.tar.gz", { name: `${at}/helper.py`, content: helper }),
        await archive(
          "2.tar.gz",
          { name: `${at}/lib`, type: "directory" },
          { name: `${at}/lib/util.py`, content: "WORD = 'deep '" },
        ),
        await archive("3.tar.gz", { name: `${at}/score.py`, content: SCORE }),
      ],
      condaFile: CONDA_FILE,
    });
    return room.built(image.id);
  }

  async function manifestOf(tag: string): Promise<Manifest> {
    const url = `${registryUrl}/v2/default/words-image/manifests/${tag}`;
    const response = await fetch(url, { headers: { authorization, accept: mediaTypes.manifest } });
    expect(response.status).toBe(200);
    return (await response.json()) as Manifest;
  }

  it("runs: the driver finds script, dependencies, model and packages", async () => {
    const image = await build("WORD = 'short '");
    expect(image.error).toBeNull();
    expect(image.properties["slipway.python"]).toMatch(/^3\.11\./);
    const bundle = await room.images.bundle(room.workspace.id, image.id);
    const program = `import runpy; d = runpy.run_path(${JSON.stringify(bundle.entryScript)}); d["init"](); print(d["run"]("x"))`;
    const { stdout, exitCode, tail } = await runCommand(
      [join(bundle.environmentRoot ?? "", "bin", "python"), "-B", "-c", program],
      { cwd: bundle.appRoot, env: bundle.environmentVariables, signal: AbortSignal.timeout(60_000) },
    );
    expect(exitCode, tail.join("\n")).toBe(0);
    expect(stdout.trim()).toBe("a short deep 3");
  });

  it("makes only the code layer anew when only code changed", async () => {
    const before = await manifestOf("1");
    const image = await build("WORD = 'other '");
    const after = await manifestOf(String(image.version));
    expect(after.layers.slice(0, 2)).toEqual(before.layers.slice(0, 2));
    expect(after.layers[2]?.digest).not.toBe(before.layers[2]?.digest);
    expect(after.layers[2]?.size).toBeLessThan(10_000);
  });

  it("can be pulled with plain HTTP, and every digest is true", async () => {
    const manifest = await manifestOf("1");
    expect(manifest.layers.map((layer) => layer.mediaType)).toEqual([
      mediaTypes.layer,
      mediaTypes.layer,
      mediaTypes.layer,
    ]);
    for (const { digest } of [manifest.config, ...manifest.layers]) {
      const url = `${registryUrl}/v2/default/words-image/blobs/${digest}`;
      const response = await fetch(url, { headers: { authorization } });
      const hash = createHash("sha256");
      for await (const chunk of response.body ?? []) hash.update(chunk);
      expect(`sha256:${hash.digest("hex")}`).toBe(digest);
    }
  });

  it("can be pulled by a foreign client", async ({ skip }) => {
    const env = { PATH: process.env.PATH, HOME: room.folder };
    const signal = AbortSignal.timeout(120_000);
    const found = await runCommand(["/bin/sh", "-c", "command -v skopeo"], { env, signal });
    if (found.exitCode !== 0) skip("skopeo is not installed");
    const source = `docker://${new URL(registryUrl).host}/default/words-image:1`;
    const options = ["--src-tls-verify=false", "--src-creds", "user:secret"];
    const target = `oci:${join(room.folder, "pulled")}:1`;
    const command = ["skopeo", "copy", "--insecure-policy", ...options, source, target];
    const copied = await runCommand(command, { env, signal });
    expect(copied.exitCode, copied.tail.join("\n")).toBe(0);
  });
});
