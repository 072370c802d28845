import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { access, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type DebianRegistry, startDebianRegistry } from "../../registry/remote/test/debian-registry.ts";
import { createImageInspector } from "../contents/image-inspector.ts";
import { type ImageTestRoom, openImageTestRoom, tarGz } from "../image-test-room.ts";
import { hasMachinePython, MACHINE_PYTHON, pushMachineBase } from "../testing/machine-base.ts";

const run = promisify(execFile);
const SCORE = "import subprocess\ndef init():\n    pass\ndef run(data):\n    return data\n";

// Needs Debian's docker-registry, Debian's Python and a package index.
describe.skipIf(!(await hasMachinePython()))("an image that another installation pushed", () => {
  let registry: DebianRegistry;
  /** builds and pushes */
  let there: ImageTestRoom;
  /** imports */
  let here: ImageTestRoom;
  let reference: string;
  let digest: string;

  const open = async () =>
    openImageTestRoom({
      env: { ...process.env, PATH: "/usr/bin:/bin" },
      ca: registry.ca === undefined ? [] : [registry.ca],
    });

  beforeAll(async () => {
    registry = await startDebianRegistry({ tls: true });
    [there, here] = [await open(), await open()];
    await pushMachineBase(there, { workspaceId: there.workspace.id, name: "base" }, `python${MACHINE_PYTHON}`);
    await Promise.all([there.runner.start(), here.runner.start()]);
    await there.registerModel("words", "model.txt", "hello".repeat(100_000));
    const archive = await tarGz([
      { name: "tools/", type: "directory" },
      { name: "tools/hello.sh", mode: 0o755, content: "#!/bin/sh\necho hello\n" },
      { name: "tools/notes.txt", mode: 0o644, content: "plain" },
    ]);
    const { id } = await there.images.create(there.workspace.id, {
      name: "greeter",
      modelIds: ["words:1"],
      driverProgram: "score.py",
      assets: [
        await there.asset("score.py", "score.py", SCORE),
        await there.asset("tools.tar.gz", "tools.tar.gz", archive, true),
      ],
      condaFile: `dependencies:\n  - python=${MACHINE_PYTHON}\n  - pip:\n      - packaging==24.1\n`,
      environmentVariables: { GREETING: "hi there", LANG: "de_DE.UTF-8" },
    });
    const built = await there.built(id);
    expect(built.error).toBeNull();
    digest = built.digest ?? "";
    reference = `${registry.host}/team/greeter:1`;
    const operation = await there.pusher.push(there.workspace.id, id, reference, registry.credentials);
    await there.runner.waitForEnd(there.workspace.id, operation, AbortSignal.timeout(60_000));
    expect((await there.operations.log(operation)).map(({ text }) => text).join("\n")).not.toContain("Warning");
  });
  afterAll(async () => {
    await there?.close();
    await here?.close();
    await registry?.close();
  });

  async function imported(wanted: { reference?: string; name?: string; architecture?: string } = {}, room = here) {
    const { credentials } = registry;
    const image = await room.importer.import(room.workspace.id, { reference, credentials, ...wanted });
    return room.built(image.id);
  }

  const importLog = async (operationId: string) =>
    (await here.operations.log(operationId)).map(({ text }) => text).join("\n");

  it("is the same here, byte for byte, with its models, code, environment and documents", async () => {
    const image = await imported();
    expect(image.error, await importLog(image.operationId)).toBeNull();
    expect(image).toMatchObject({
      id: "greeter:1",
      ...{ digest, state: "Succeeded", modelIds: [], driverProgram: "score.py" },
      environmentVariables: { GREETING: "hi there", LANG: "de_DE.UTF-8", FROM_BASE: "yes" },
    });
    expect(image.properties).toMatchObject({
      "slipway.imported-from": `${registry.host}/team/greeter@${digest}`,
      "slipway.models": "words:1",
      "slipway.python": expect.stringMatching(/^3\.11\.\d+$/),
    });
    const repository = { workspaceId: here.workspace.id, name: "greeter" };
    const pulled = await here.registry.findManifest(repository, "1");
    expect(pulled?.digest).toBe(digest);

    const bundle = await here.images.bundle(here.workspace.id, image.id);
    const { appRoot, environmentRoot = "", entryScript } = bundle;
    expect(entryScript).toBe("score.py");
    expect((await run(join(appRoot, "tools", "hello.sh"))).stdout).toBe("hello\n");
    await expect(run(join(appRoot, "tools", "notes.txt"))).rejects.toMatchObject({ code: "EACCES" });
    const versions = "import packaging, sys; print(packaging.__version__, '%d.%d' % sys.version_info[:2])";
    const python = join(environmentRoot, "bin", "python");
    expect((await run(python, ["-I", "-c", versions])).stdout).toBe("24.1 3.11\n");

    // The model is kept as its file, of which the layer is made again.
    const layers = JSON.parse((await buffer(Readable.from(pulled?.read() ?? []))).toString()).layers as {
      digest: string;
      annotations: Record<string, string>;
    }[];
    const model = layers.find(({ annotations }) => annotations["dev.slipway.layer"] === "model")?.digest ?? "";
    expect(await here.blobs.has(model)).toBe(false);
    for (const layer of layers) {
      const content = await here.registry.findBlob(repository, layer.digest);
      const hash = createHash("sha256");
      for await (const chunk of content?.read() ?? []) hash.update(chunk);
      expect(`sha256:${hash.digest("hex")}`).toBe(layer.digest);
    }
    expect(await readdir(join(here.folder, "blobs", "imports"))).toEqual([]);
  });

  it("is no different from the one that was built", async () => {
    const again = await imported({ name: "borrowed" }, there);
    expect(again).toMatchObject({ id: "borrowed:1", digest, modelIds: ["words:1"] });
    const inspector = createImageInspector(there);
    const comparison = await inspector.compare(there.workspace.id, "greeter:1", "borrowed:1");
    const { from: _, to: __, sharedBytes: ___, ...changes } = comparison;
    expect(Object.values(changes).flat()).toEqual([]);
    for (const type of ["lock", "sbom", "provenance"] as const) {
      expect(await inspector.proof(there.workspace.id, "borrowed:1", type)).toEqual(
        await inspector.proof(there.workspace.id, "greeter:1", type),
      );
    }
  });

  it("shows what it consists of", async () => {
    const { environment, base, code, models } = await createImageInspector(here).contents(
      here.workspace.id,
      "greeter:1",
    );
    expect(environment?.packages).toMatchObject([{ name: "packaging", version: "24.1" }]);
    expect(base?.reference).toBe("base:python3.11");
    expect(code.map(({ path }) => path)).toEqual(["score.py", "tools/hello.sh", "tools/notes.txt"]);
    expect(models).toMatchObject([{ id: "words:1", files: 1, sizeBytes: 500_000 }]);
  });

  it("is laid out again from what is here when somebody removed it", async () => {
    await rm(join(here.folder, "environments", "imported"), { recursive: true });
    await rm(join(here.folder, "images"), { recursive: true });
    const { appRoot, environmentRoot = "" } = await here.images.bundle(here.workspace.id, "greeter:1");
    await access(join(environmentRoot, "bin", "python"));
    await access(join(appRoot, "azureml-models", "words", "1", "model.txt"));
  });
});
