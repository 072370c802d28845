import { link, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { BlobStore } from "../platform/blob-store/blob-store.ts";
import { openFileBlobStore } from "../platform/blob-store/file-blob-store.ts";
import { codeFiles, createAppFolders } from "./app-folder.ts";
import type { ImagePlan, PlannedFile } from "./image.ts";
import { tarGz, wrapperDriver } from "./image-test-room.ts";

describe("an application folder", () => {
  let folder: string;
  let blobs: BlobStore;
  const { signal } = new AbortController();
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "slipway-app-"));
    blobs = await openFileBlobStore(join(folder, "blobs"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function file(path: string, bytes: string | Uint8Array, unpack = false): Promise<PlannedFile> {
    return { path, unpack, ...(await blobs.put(Readable.from([Buffer.from(bytes)]))) };
  }

  async function plan(change: Partial<ImagePlan> = {}): Promise<ImagePlan> {
    const archive = await tarGz([
      { name: "home/me/proj/score.py", content: "def init(): pass" },
      { name: "home/me/proj/run.sh", content: "#!/bin/sh", mode: 0o755 },
    ]);
    const model = await blobs.put(Readable.from([Buffer.from("weights")]));
    return {
      runtime: "python",
      models: [{ id: "m:3", name: "m", version: 3, files: [{ path: "model.pkl", ...model }] }],
      code: [await file("tmpabc.py", wrapperDriver("score.py")), await file("1.tar.gz", archive, true)],
      driver: "tmpabc.py",
      condaFile: null,
      pipRequirements: null,
      ...change,
    };
  }

  it("has driver, code and models where the driver and the genuine client look for them", async () => {
    const { root } = await createAppFolders(join(folder, "images"), blobs).layOut(await plan(), signal);
    expect(await codeFiles(root)).toEqual(["run.sh", "score.py", "tmpabc.py"]);
    expect(await readFile(join(root, "azureml-models/m/3/model.pkl"), "utf8")).toBe("weights");
    expect((await stat(join(root, "run.sh"))).mode & 0o777).toBe(0o755);
    expect((await stat(join(root, "score.py"))).mode & 0o777).toBe(0o644);
  });

  it("shares the model's bytes with the blob store", async () => {
    const made = await plan();
    const { root } = await createAppFolders(join(folder, "images"), blobs).layOut(made, signal);
    const digest = made.models[0]?.files[0]?.digest ?? "";
    expect((await stat(join(root, "azureml-models/m/3/model.pkl"))).ino).toBe((await stat(blobs.path(digest))).ino);
  });

  it("is made once for the same content, also when asked for twice at once", async () => {
    const folders = createAppFolders(join(folder, "images"), blobs);
    const [first, second] = await Promise.all([
      folders.layOut(await plan(), signal),
      folders.layOut(await plan(), signal),
    ]);
    expect(second.root).toBe(first.root);
    const { ino } = await stat(join(first.root, "score.py"));
    await folders.layOut(await plan(), signal);
    expect((await stat(join(first.root, "score.py"))).ino).toBe(ino);
    expect(await readdir(join(folder, "images"))).toHaveLength(1);
  });

  it("begins again where a killed process left half of one", async () => {
    const folders = createAppFolders(join(folder, "images"), blobs);
    const made = await plan();
    const half = join(folder, "images", `${folders.key(made)}.incomplete`);
    await mkdir(join(half, "app"), { recursive: true });
    await writeFile(join(half, "app", "score.py"), "half of");
    await link(join(half, "app", "score.py"), join(half, "app", "stray.py"));
    const { root } = await folders.layOut(made, signal);
    expect(await codeFiles(root)).toEqual(["run.sh", "score.py", "tmpabc.py"]);
    expect(await readFile(join(root, "score.py"), "utf8")).toBe("def init(): pass");
  });

  it("leaves nothing behind when an archive is refused", async () => {
    const folders = createAppFolders(join(folder, "images"), blobs);
    const evil = await file("evil.tar.gz", await tarGz([{ name: "../../evil.py", content: "x" }]), true);
    const made = await plan({ code: [await file("score.py", "x"), evil], driver: "score.py" });
    await expect(folders.layOut(made, signal)).rejects.toMatchObject({ code: "ArchiveMemberRefused" });
    expect(await readdir(join(folder, "images"))).toEqual([]);
    expect(await readdir(folder)).toEqual(["blobs", "images"]);
  });

  it("keeps a plain file where an archive has one of the same name", async () => {
    const archive = await file("1.tar.gz", await tarGz([{ name: "score.py", content: "archived" }]), true);
    const made = await plan({ code: [await file("score.py", "plain"), archive], driver: "score.py" });
    const { root } = await createAppFolders(join(folder, "images"), blobs).layOut(made, signal);
    expect(await readFile(join(root, "score.py"), "utf8")).toBe("plain");
  });

  it("finds a driver inside an archive, and names what there is when it is not there", async () => {
    const folders = createAppFolders(join(folder, "images"), blobs);
    const archive = await file("1.tar.gz", await tarGz([{ name: "src/score.py", content: "x" }]), true);
    const inside = await plan({ code: [archive], driver: "src/score.py" });
    expect(await codeFiles((await folders.layOut(inside, signal)).root)).toEqual(["src/score.py"]);
    await expect(folders.layOut(await plan({ code: [archive], driver: "score.py" }), signal)).rejects.toMatchObject({
      code: "DriverMissing",
      message: expect.stringContaining("src/score.py"),
    });
  });
});
