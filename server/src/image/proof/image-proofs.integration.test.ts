import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import { Spec, Validation } from "@cyclonedx/cyclonedx-library";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ownArchitecture } from "../../platform/architecture.ts";
import { createImageInspector, type ImageInspector } from "../contents/image-inspector.ts";
import { type ImageTestRoom, openImageTestRoom } from "../image-test-room.ts";
import { pushForeignBase } from "../testing/machine-base.ts";

const execute = promisify(execFile);
const SCRIPT = "import greet\n\ndef init():\n    pass\n\ndef run(data):\n    return greet.VERSION\n";
const CONDA = "dependencies:\n  - pip:\n      - greet\n      - hostile\n";

/** A package of one module; METADATA is what a test says, after the two lines that installers insist on. */
const MAKE_WHEEL = `
import sys, zipfile
folder, name, version, metadata = sys.argv[1:5]
info = f"{name}-{version}.dist-info"
files = {
    f"{name}.py": f"VERSION = '{version}'\\n".encode(),
    f"{info}/METADATA": f"Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n".encode() + open(metadata, "rb").read(),
    f"{info}/WHEEL": b"Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
}
files[f"{info}/RECORD"] = "".join(f"{path},,\\n" for path in [*files, f"{info}/RECORD"]).encode()
with zipfile.ZipFile(f"{folder}/{name}-{version}-py3-none-any.whl", "w") as wheel:
    for path, content in files.items():
        wheel.writestr(path, content)
`;

let wheels: string;
let room: ImageTestRoom;
let inspector: ImageInspector;
beforeAll(async () => {
  wheels = await mkdtemp(join(tmpdir(), "slipway-wheels-"));
  await makeWheel("greet", "1.0", Buffer.from("License-Expression: MIT\n"));
  const noise = Buffer.from([0xff, 0xfe, 0x1b, 0x5b, 0x32, 0x4a]);
  const license = Buffer.concat([Buffer.from("License: "), Buffer.alloc(300_000, "all rights reserved "), noise]);
  await makeWheel("hostile", "6.6.6", Buffer.concat([license, Buffer.from("\n\nA description\n"), noise]));
  const env = { ...process.env, UV_FIND_LINKS: wheels, UV_NO_INDEX: "1" };
  room = await openImageTestRoom({ env });
  inspector = createImageInspector(room);
  await room.registerModel("names", "names.txt", "Ada");
  await room.runner.start();
});
afterAll(async () => {
  await room.close();
  await rm(wheels, { recursive: true });
});

async function makeWheel(name: string, version: string, metadata: Buffer): Promise<void> {
  const file = join(wheels, "metadata");
  await writeFile(file, metadata);
  await execute("python3", ["-c", MAKE_WHEEL, wheels, name, version, file]);
}

async function build(script: string) {
  const { id } = await room.images.create(room.workspace.id, {
    ...{ name: "greeter", modelIds: ["names:1"], driverProgram: "score.py", condaFile: CONDA },
    assets: [await room.asset("score.py", "score.py", script)],
  });
  return expectBuilt(id);
}

async function rebuild(id: string, upgrade: boolean) {
  return expectBuilt((await room.images.rebuild(room.workspace.id, id, { upgrade })).id);
}

async function expectBuilt(id: string) {
  const image = await room.built(id);
  expect(image).toMatchObject({ state: "Succeeded", error: null });
  return image;
}

const contents = (id: string) => inspector.contents(room.workspace.id, id);
const proof = async (id: string, type: "lock" | "sbom" | "provenance") =>
  (await inspector.proof(room.workspace.id, id, type)).document;
const sha256 = (content: string | Buffer) => createHash("sha256").update(content).digest("hex");
async function versionOf(id: string): Promise<string | undefined> {
  return (await contents(id)).environment?.packages.find(({ name }) => name === "greet")?.version;
}

it("an image with packages has a lock, a valid bill of materials and a provenance that name the same bytes", async () => {
  const image = await build(SCRIPT);
  const { environment, proofs } = await contents(image.id);
  expect(proofs.map(({ type }) => type)).toEqual(["lock", "sbom", "provenance"]);
  const bytecode = expect.any(Number);
  expect(environment?.packages).toEqual([
    { name: "greet", version: "1.0", licenses: ["MIT"], sizeBytes: bytecode },
    { name: "hostile", version: "6.6.6", licenses: [], sizeBytes: bytecode },
  ]);
  expect(environment?.packages[1]?.sizeBytes).toBeGreaterThan(300_000);

  const sbom = await proof(image.id, "sbom");
  expect(await new Validation.JsonStrictValidator(Spec.Version.v1dot6).validate(sbom)).toBeNull();
  const wheel = sha256(await readFile(join(wheels, "greet-1.0-py3-none-any.whl")));
  expect(JSON.parse(sbom).components).toContainEqual(
    expect.objectContaining({ name: "greet", hashes: [{ alg: "SHA-256", content: wheel }] }),
  );

  const lock = await proof(image.id, "lock");
  expect(lock).toContain(`greet==1.0`);
  expect(lock).toContain(wheel);
  const { predicate, subject } = JSON.parse(await proof(image.id, "provenance"));
  expect(`sha256:${subject[0].digest.sha256}`).toBe(image.digest);
  expect(predicate.buildDefinition.resolvedDependencies).toEqual([
    { name: "conda.yml", digest: { sha256: sha256(CONDA) } },
    { name: "environment.lock", digest: { sha256: sha256(lock) } },
    { name: "azureml-models/names/1/names.txt", digest: { sha256: sha256("Ada") } },
    { name: "code/score.py", digest: { sha256: sha256(SCRIPT) } },
  ]);
});

it("a changed script is the only difference, and both texts can be read", async () => {
  const changed = `${SCRIPT}# changed\n`;
  const image = await build(changed);
  const difference = await inspector.compare(room.workspace.id, "greeter:1", image.id);
  expect(difference).toMatchObject({ packages: [], models: [], settings: [], environmentVariables: [] });
  expect(difference.code).toEqual([
    { name: "score.py", from: `sha256:${sha256(SCRIPT)}`, to: `sha256:${sha256(changed)}` },
  ]);
  expect(await text(await inspector.codeFile(room.workspace.id, "greeter:1", "score.py"))).toBe(SCRIPT);
  expect(await text(await inspector.codeFile(room.workspace.id, image.id, "score.py"))).toBe(changed);
  const { layers } = await contents(image.id);
  expect(layers.find(({ kind }) => kind === "environment")?.sharedWith).toBe(1);
  expect(layers.find(({ kind }) => kind === "code")?.sharedWith).toBe(0);
});

it("a rebuild keeps the lock and gives the same bytes; only an upgrade finds newer packages, and keeps them", async () => {
  const first = await room.images.get(room.workspace.id, "greeter:1");
  await makeWheel("greet", "2.0", Buffer.from("License-Expression: MIT\n"));
  const same = await rebuild("greeter:1", false);
  expect(same.digest).toBe(first.digest);
  expect(same.properties["slipway.rebuilt-from"]).toBe("greeter:1");

  const upgraded = await rebuild("greeter:1", true);
  expect(upgraded.digest).not.toBe(first.digest);
  const difference = await inspector.compare(room.workspace.id, "greeter:1", upgraded.id);
  expect(difference.packages).toEqual([{ name: "greet", from: "1.0", to: "2.0" }]);
  expect(difference.code).toEqual([]);

  await makeWheel("greet", "3.0", Buffer.from("License-Expression: MIT\n"));
  expect((await rebuild(upgraded.id, false)).digest).toBe(upgraded.digest);
  expect(await versionOf((await rebuild(upgraded.id, true)).id)).toBe("3.0");
  expect(await versionOf("greeter:1")).toBe("1.0");
});

it("what is known of an environment stays known without its folder, and the folder comes back as it was", async () => {
  const before = await contents("greeter:1");
  const { environmentRoot = "" } = await room.images.bundle(room.workspace.id, "greeter:1");
  await rm(environmentRoot, { recursive: true });
  expect(await contents("greeter:1")).toEqual(before);
  const repaired = await room.images.bundle(room.workspace.id, "greeter:1");
  const program = "import greet; print(greet.VERSION)";
  const { stdout } = await execute(join(repaired.environmentRoot ?? "", "bin", "python"), ["-I", "-c", program]);
  expect(stdout).toBe("1.0\n");
});

it("without folder and without memory the lock is all that is known", async () => {
  await mkdir(join(room.folder, "empty"));
  const lockDigest = `sha256:${sha256(await proof("greeter:1", "lock"))}`;
  expect(await room.proofs.contentsOf({ id: "unknown", root: join(room.folder, "empty"), lockDigest })).toEqual({
    packages: [
      { name: "greet", version: "1.0", licenses: [], sizeBytes: null },
      { name: "hostile", version: "6.6.6", licenses: [], sizeBytes: null },
    ],
    sizeBytes: null,
  });
});

it("an image on a base names it, Node and the scorer; only a rebuild looks whether the base is newer", async () => {
  const base = { workspaceId: room.workspace.id, name: "base" };
  await pushForeignBase(room, base, "python3.11", ownArchitecture(), "the first");
  await room.registerModel("iris", "iris.onnx", "an onnx graph", "Onnx");
  const ask = async () =>
    expectBuilt((await room.images.create(room.workspace.id, { name: "iris", modelIds: ["iris:1"], assets: [] })).id);
  const first = await ask();
  const { base: stands, layers } = await contents(first.id);
  expect(stands).toMatchObject({ reference: "base:python3.11", digest: expect.stringMatching(/^sha256:/) });
  expect(stands?.contents).toEqual({ distribution: null, packages: [] });
  expect(layers.map(({ kind }) => kind)).toEqual(["base", "runtime", "runtime", "model", "configuration"]);

  const sbom = await proof(first.id, "sbom");
  expect(await new Validation.JsonStrictValidator(Spec.Version.v1dot6).validate(sbom)).toBeNull();
  const names = JSON.parse(sbom).components.map(({ name }: { readonly name: string }) => name);
  expect(names).toEqual(
    expect.arrayContaining(["base:python3.11", "node", "@slipway/scoring", "onnxruntime-node", "iris"]),
  );
  const { predicate } = JSON.parse(await proof(first.id, "provenance"));
  expect(predicate.buildDefinition.resolvedDependencies[0]).toMatchObject({
    ...{ name: "base", digest: { sha256: stands?.digest.replace("sha256:", "") } },
  });

  await pushForeignBase(room, base, "python3.11", ownArchitecture(), "the second");
  expect((await ask()).digest).toBe(first.digest);
  const rebuilt = await rebuild(first.id, false);
  const difference = await inspector.compare(room.workspace.id, first.id, rebuilt.id);
  expect(difference.settings).toEqual([
    {
      name: "base",
      from: `base:python3.11@${stands?.digest}`,
      to: `base:python3.11@${(await contents(rebuilt.id)).base?.digest}`,
    },
  ]);
  expect([difference.packages, difference.models]).toEqual([[], []]);
  const kept = layers.filter(({ kind }) => kind !== "base").reduce((sum, layer) => sum + layer.sizeBytes, 0);
  expect(difference.sharedBytes).toBe(kept);
});
