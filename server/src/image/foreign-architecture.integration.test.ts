import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { json } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ownArchitecture } from "../platform/architecture.ts";
import { type ImageTestRoom, openImageTestRoom } from "./image-test-room.ts";
import { hasMachinePython, MACHINE_PYTHON, pushForeignBase } from "./testing/machine-base.ts";

const FOREIGN = ownArchitecture() === "amd64" ? "arm64" : "amd64";
/** `e_machine` of the ELF header */
const MACHINES: Readonly<Record<string, number>> = { amd64: 62, arm64: 183 };

interface Manifest {
  readonly config: { readonly digest: string };
  readonly annotations: Readonly<Record<string, string>>;
}

// Needs Debian's Python, uv or pip, a package index and npm.
describe.skipIf(!(await hasMachinePython()))("an image for another architecture", () => {
  let room: ImageTestRoom;
  beforeAll(async () => {
    room = await openImageTestRoom({ env: { ...process.env, PATH: `/usr/bin:/bin` } });
    await pushForeignBase(room, { workspaceId: room.workspace.id, name: "base" }, `python${MACHINE_PYTHON}`, FOREIGN);
    await room.runner.start();
  });
  afterAll(() => room.close());

  async function build(pip: string) {
    const { id } = await room.images.create(room.workspace.id, {
      name: "words-image",
      modelIds: [],
      driverProgram: "score.py",
      assets: [await room.asset("score.py", "score.py", "def init(): pass")],
      condaFile: `dependencies:\n  - python=${MACHINE_PYTHON}\n  - pip:\n    - ${pip}\n`,
      targetRuntime: { runtimeType: "Python", targetArchitecture: `linux/${FOREIGN}`, properties: {} },
    });
    return room.built(id);
  }

  it("has the packages, the programs and the base of that architecture", async () => {
    const image = await build("markupsafe");
    expect(image.error).toBeNull();
    expect(image.properties["slipway.base"]).toMatch(/^base:python3\.11@/);
    const repository = { workspaceId: room.workspace.id, name: image.name };
    const read = async <T>(content: { read(): AsyncIterable<Uint8Array> } | undefined) =>
      (await json(Readable.from(content?.read() ?? []))) as T;
    const { config } = await read<Manifest>(await room.registry.findManifest(repository, String(image.version)));
    expect(await read(await room.registry.findBlob(repository, config.digest))).toMatchObject({
      ...{ architecture: FOREIGN, os: "linux" },
    });

    const bundle = await room.images.bundle(room.workspace.id, image.id);
    expect(bundle.architecture).toBe(FOREIGN);
    expect(await machinesIn(bundle.environmentRoot ?? "", /\.so$/)).toEqual([MACHINES[FOREIGN]]);
    expect(await machinesIn(join(room.folder, "runtimes"), /^node$/)).toEqual([MACHINES[FOREIGN]]);
  });

  it("cannot have a package that has no wheel for it, which is named", async () => {
    const image = await build("mysqlclient");
    expect(image.error).toMatchObject({
      code: "WheelMissing",
      message: expect.stringMatching(new RegExp(`no ready-made wheel of mysqlclient for Python 3\\.11 on ${FOREIGN}`)),
    });
  });
});

async function machinesIn(folder: string, name: RegExp): Promise<number[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && name.test(entry.name));
  const machines = await Promise.all(files.map((file) => machineOf(join(file.parentPath, file.name))));
  return [...new Set(machines)];
}

async function machineOf(file: string): Promise<number> {
  await using handle = await open(file, "r");
  const { buffer } = await handle.read(Buffer.alloc(20), 0, 20, 0);
  return buffer.readUInt16LE(18);
}
