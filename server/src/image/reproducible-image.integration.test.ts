import { Readable } from "node:stream";
import { json } from "node:stream/consumers";
import { afterEach, describe, expect, it } from "vitest";
import { type ImageTestRoom, openImageTestRoom } from "./image-test-room.ts";
import { hasMachinePython, MACHINE_PYTHON, pushMachineBase } from "./testing/machine-base.ts";

interface Manifest {
  readonly layers: readonly { readonly digest: string; readonly annotations: Readonly<Record<string, string>> }[];
}

// Needs Debian's Python, uv or pip, and a package index.
describe.skipIf(!(await hasMachinePython()))("the same inputs", () => {
  const rooms: ImageTestRoom[] = [];
  afterEach(async () => {
    for (const room of rooms.splice(0)) await room.close();
  });

  /** A data folder and caches of its own, as on another machine. */
  async function openRoom(): Promise<ImageTestRoom> {
    const room = await openImageTestRoom({ env: { ...process.env, PATH: "/usr/bin:/bin" } });
    rooms.push(room);
    await pushMachineBase(room, { workspaceId: room.workspace.id, name: "base" }, `python${MACHINE_PYTHON}`);
    await room.registerModel("words", "model.txt", "hello");
    await room.runner.start();
    return room;
  }

  async function build(room: ImageTestRoom, score: string, pip = "requests") {
    const { id } = await room.images.create(room.workspace.id, {
      name: "words-image",
      modelIds: ["words:1"],
      driverProgram: "score.py",
      assets: [await room.asset("score.py", "score.py", score)],
      condaFile: `dependencies:\n  - python=${MACHINE_PYTHON}\n  - pip:\n    - ${pip}\n`,
      environmentVariables: { WORD: "hello" },
    });
    const image = await room.built(id);
    expect(image.error).toBeNull();
    const repository = { workspaceId: room.workspace.id, name: image.name };
    const content = await room.registry.findManifest(repository, String(image.version));
    const { layers } = (await json(Readable.from(content?.read() ?? []))) as Manifest;
    const digests = layers.map(({ digest, annotations }) => `${annotations["dev.slipway.layer"]} ${digest}`);
    return { image, digests };
  }

  it("give the same digest in another folder, at another time and under another version", async () => {
    const one = await build(await openRoom(), "def init(): pass");
    const elsewhere = await openRoom();
    await build(elsewhere, "def init(): 'something else'", "six");
    const other = await build(elsewhere, "def init(): pass");
    expect(other.image).toMatchObject({ id: "words-image:2" });
    expect(other.image.createdAt).not.toBe(one.image.createdAt);
    expect(other.digests).toEqual(one.digests);
    expect(other.image.digest).toBe(one.image.digest);
  });

  it("but for the script give the same layers but the code's", async () => {
    const room = await openRoom();
    const one = await build(room, "def init(): pass");
    const other = await build(room, "def init(): 'changed'");
    const changed = other.digests.filter((digest) => !one.digests.includes(digest));
    expect(changed).toEqual([expect.stringMatching(/^code /)]);
    expect(other.digests.map((digest) => digest.split(" ")[0])).toEqual([
      ...["base", "runtime", "environment", "model", "code", "configuration"],
    ]);
    const layer = await room.registry.findLayer(changed[0]?.slice("code ".length) ?? "");
    expect(layer?.sizeBytes).toBeLessThan(10_000);
  });
});
