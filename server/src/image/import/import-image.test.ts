import { access, readdir, readFile, rm } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ownArchitecture } from "../../platform/architecture.ts";
import { mediaTypes } from "../../registry/index.ts";
import { digestOf } from "../../registry/remote/index.ts";
import { type ScriptedRegistry, serveRegistry } from "../../registry/remote/test/scripted-registry.ts";
import { type ImageTestRoom, openImageTestRoom } from "../image-test-room.ts";
import {
  type Member,
  plainLayers,
  type ScriptedImage,
  type ScriptedLayer,
  scriptedImage,
} from "../testing/scripted-image.ts";

type Answer = (request: IncomingMessage, response: ServerResponse, path: string) => boolean;

const foreignArchitecture = ownArchitecture() === "arm64" ? "amd64" : "arm64";

describe("an image from a registry elsewhere", () => {
  let room: ImageTestRoom;
  const open: ScriptedRegistry[] = [];
  beforeEach(async () => {
    room = await openImageTestRoom({ silenceMs: 1_000 });
    await room.runner.start();
  });
  afterEach(async () => {
    for (const registry of open.splice(0)) await registry.close();
    await room.close();
  });

  /** @param first answers, if it returns true, before the image does */
  async function serve(image: ScriptedImage, first: Answer = () => false): Promise<ScriptedRegistry> {
    const registry = await serveRegistry((request, response, path) => {
      if (first(request, response, path)) return;
      const [, kind, target = ""] = /^\/v2\/team\/words\/(manifests|blobs)\/(.+)$/.exec(path) ?? [];
      if (kind === "manifests" && (target === "1" || target === image.digest)) {
        response.writeHead(200, { "Content-Type": mediaTypes.manifest }).end(image.manifest);
        return;
      }
      const blob = kind === "blobs" ? image.blobs.get(target) : undefined;
      if (blob === undefined) response.writeHead(404).end();
      else response.writeHead(200, { "Content-Length": String(blob.length) }).end(blob);
    });
    open.push(registry);
    return registry;
  }

  const start = (registry: ScriptedRegistry, wanted: { name?: string; architecture?: string } = {}) =>
    room.importer.import(room.workspace.id, {
      reference: `localhost:${new URL(`http://${registry.host}`).port}/team/words:1`,
      ...wanted,
    });

  async function imported(image: ScriptedImage, first?: Answer) {
    return room.built((await start(await serve(image, first))).id);
  }

  const withLayer = (name: keyof typeof plainLayers, change: Partial<ScriptedLayer>) =>
    scriptedImage(Object.entries(plainLayers).map(([key, layer]) => (key === name ? { ...layer, ...change } : layer)));

  async function expectNothingLeft(): Promise<void> {
    const repository = { workspaceId: room.workspace.id, name: "words" };
    expect(await room.registry.findManifest(repository, "1")).toBeUndefined();
    expect(await readdir(join(room.folder, "blobs", "imports")).catch(() => [])).toEqual([]);
    await expect(room.images.bundle(room.workspace.id, "words:1")).rejects.toMatchObject({ code: "ImageNotReady" });
  }

  it("becomes an image of this installation", async () => {
    const image = await scriptedImage();
    const found = await imported(image);
    expect(found).toMatchObject({
      ...{ id: "words:1", state: "Succeeded", error: null, digest: image.digest, driverProgram: "score.py" },
      environmentVariables: { GREETING: "hi", PATH: "/usr/bin" },
    });
    expect(found.properties).toMatchObject({ "slipway.models": "words:1", "slipway.python": "3.11" });
    const bundle = await room.images.bundle(room.workspace.id, found.id);
    const { appRoot, environmentRoot = "" } = bundle;
    expect(await readFile(join(appRoot, "azureml-models/words/1/model.txt"), "utf8")).toBe("hello");
    expect(await readFile(join(environmentRoot, "lib/python3.11/site-packages/words.py"), "utf8")).toContain("WORD");
    expect(bundle.models.map(({ id }) => id)).toEqual(["words:1"]);
    await expect(room.images.rebuild(room.workspace.id, found.id, { upgrade: false })).rejects.toMatchObject({
      code: "ImageImported",
      message: expect.stringContaining("localhost:"),
    });
  });

  it("is fetched once: a second name for it costs two documents", async () => {
    const image = await scriptedImage();
    const registry = await serve(image);
    await room.built((await start(registry)).id);
    const before = registry.requests.length;
    const second = await room.built((await start(registry, { name: "words-again" })).id);
    expect(second).toMatchObject({ id: "words-again:1", digest: image.digest });
    const [config] = [...image.blobs.keys()].filter((digest) => !image.layers.includes(digest));
    const blobs = registry.requests.slice(before).filter((line) => line.includes("/blobs/"));
    expect(blobs).toEqual([`GET /v2/team/words/blobs/${config}`]);
  });

  it("is the one for this machine, or the one that is asked for, of an image for several", async () => {
    const own = await scriptedImage();
    const other = await scriptedImage(undefined, { architecture: foreignArchitecture });
    const manifests = [other, own].map(({ digest, manifest }, index) => ({
      ...{ mediaType: mediaTypes.manifest, digest, size: manifest.length },
      platform: { os: "linux", architecture: index === 0 ? foreignArchitecture : ownArchitecture() },
    }));
    const list = JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.index, manifests });
    const registry = await serve({ ...own, blobs: new Map([...own.blobs, ...other.blobs]) }, (_, response, path) => {
      if (path.endsWith("/manifests/1")) response.writeHead(200, { "Content-Type": mediaTypes.index }).end(list);
      else if (path.endsWith(other.digest) && path.includes("/manifests/")) response.end(other.manifest);
      else return false;
      return true;
    });
    expect(await room.built((await start(registry)).id)).toMatchObject({ error: null, digest: own.digest });
    const { id } = await start(registry, { architecture: foreignArchitecture });
    expect(await room.built(id)).toMatchObject({ id: "words:2", error: null, digest: other.digest });
    expect((await room.images.bundle(room.workspace.id, id)).architecture).toBe(foreignArchitecture);
  });

  it("uses a model of this workspace only if its files are the same", async () => {
    await room.registerModel("words", "model.txt", "others");
    const registry = await serve(await scriptedImage());
    expect((await room.built((await start(registry)).id)).modelIds).toEqual([]);
    expect(await room.images.usersOfModel(room.workspace.id, "words:1")).toEqual([]);
    await room.registerModel("words", "model.txt", "hello");
    const second = {
      kind: "model",
      members: [{ name: "var/azureml-app/azureml-models/words/2/model.txt", content: "hello" }],
    };
    const { id, modelIds } = await imported(await scriptedImage([second, ...Object.values(plainLayers)]));
    expect(modelIds).toEqual(["words:2"]);
    expect(await room.images.usersOfModel(room.workspace.id, "words:2")).toEqual([`image ${id}`]);
  });

  it("comes with its documents, without those that are damaged or about something else", async () => {
    const image = await scriptedImage();
    const files = new Map<string, Buffer>();
    const add = (bytes: Buffer) => {
      files.set(digestOf(bytes), bytes);
      return { mediaType: "text/plain", digest: digestOf(bytes), size: bytes.length };
    };
    const about = (subject: string, part: { digest: string; size: number }, artifactType = "text/notes") =>
      add(
        Buffer.from(
          JSON.stringify({
            ...{ schemaVersion: 2, mediaType: mediaTypes.manifest, artifactType },
            config: { ...add(Buffer.from("{}")), mediaType: mediaTypes.empty },
            layers: [{ ...part, mediaType: "text/plain" }],
            subject: { mediaType: mediaTypes.manifest, digest: subject, size: image.manifest.length },
          }),
        ),
      );
    const notes = add(Buffer.from("notes"));
    const good = about(image.digest, notes);
    const forged = about(image.digest, notes, "application/vnd.in-toto+json");
    const others = about(notes.digest, notes);
    const damaged = about(image.digest, { ...notes, size: 3 }, "text/damaged");
    const endless = about(image.digest, { ...notes, size: 2 ** 50 }, "text/endless");
    const manifests = [damaged, others, endless, good, forged].map((one) => ({
      ...one,
      mediaType: mediaTypes.manifest,
    }));
    const found = await imported(image, (_, response, path) => {
      if (path === `/v2/team/words/referrers/${image.digest}`) {
        response.end(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.index, manifests }));
        return true;
      }
      const file = files.get(path.slice(path.lastIndexOf("/") + 1));
      if (file !== undefined) response.writeHead(200, { "Content-Type": mediaTypes.manifest }).end(file);
      return file !== undefined;
    });
    expect(found.state).toBe("Succeeded");
    const repository = { workspaceId: room.workspace.id, name: "words" };
    const beside = await room.registry.referrers(repository, image.digest);
    expect(beside.map(({ digest }) => digest).sort()).toEqual([forged.digest, good.digest].sort());
    const log = (await room.operations.log(found.operationId)).map(({ text }) => text);
    const warnings = log.filter((line) => line.startsWith("Warning: a document beside the image"));
    expect(warnings).toHaveLength(2);
    expect((await room.store.findBuilt(room.workspace.id, found.id))?.proofs).toEqual([]);
  });

  it("is whole again after another import, when parts of it were lost", async () => {
    const image = await scriptedImage();
    const registry = await serve(image);
    const { id } = await room.built((await start(registry)).id);
    const environment = image.layers[Object.keys(plainLayers).indexOf("environment")] ?? "";
    await rm(join(room.folder, "environments"), { recursive: true });
    await room.blobs.delete(environment);
    await expect(room.images.bundle(room.workspace.id, id)).rejects.toMatchObject({ code: "ImageNotWhole" });
    await room.built((await start(registry)).id);
    const { environmentRoot = "" } = await room.images.bundle(room.workspace.id, id);
    expect(await readdir(join(environmentRoot, "lib"))).toEqual(["python3.11"]);
  });

  it("says at once what is wrong with its name", async () => {
    const from = (reference: string, name?: string) => room.importer.import(room.workspace.id, { reference, name });
    await expect(from("https://somewhere/a")).rejects.toMatchObject({ code: "ReferenceInvalid" });
    await expect(from("somewhere.test/team/ab:1")).rejects.toMatchObject({ code: "ImageNameInvalid" });
    await expect(from("somewhere.test/team/words:1", "No Name")).rejects.toMatchObject({ code: "ImageNameInvalid" });
    expect(await room.images.list(room.workspace.id, {})).toEqual([]);
  });

  describe("is refused, and nothing of it can be had, when", () => {
    const layer = (name: keyof typeof plainLayers) => Object.keys(plainLayers).indexOf(name);
    const file = (name: string, more: Partial<Member> = {}) => ({
      members: [{ name, ...(more.type === undefined && { content: "x" }), ...more }],
    });
    const env = (...members: Member[]) => ({ members: [...plainLayers.environment.members, ...members] });
    const cases: [what: string, image: () => Promise<ScriptedImage>, code: string, says: string][] = [
      ["another program built it", () => scriptedImage([{ members: [] }]), "ImageForeign", "dev.slipway.layer"],
      [
        "another program added a layer",
        () => withLayer("code", { kind: undefined }),
        "ImageForeign",
        "1 of its layers",
      ],
      [
        "it is for another architecture",
        () => scriptedImage(undefined, { architecture: foreignArchitecture }),
        "PlatformNotOffered",
        foreignArchitecture,
      ],
      [
        "it stands on nothing",
        () => scriptedImage([plainLayers.environment, plainLayers.code]),
        "ImportedImageIncomplete",
        "without a base",
      ],
      [
        "it lacks its code",
        () => withLayer("code", { kind: "steps" }),
        "ImportedImageIncomplete",
        "no layer with its code",
      ],
      [
        "it lacks its script",
        () => withLayer("code", file("var/azureml-app/other.py")),
        "ImportedImageIncomplete",
        "score.py",
      ],
      [
        "a layer has other bytes than announced",
        () => withLayer("model", { announced: { diffId: `sha256:${"0".repeat(64)}` } }),
        "LayerInvalid",
        "announces",
      ],
      [
        "a layer is missing",
        () => withLayer("model", { announced: { digest: `sha256:${"1".repeat(64)}` } }),
        "RemoteBlobCorrupt",
        "does not have it",
      ],
      [
        "a layer announces more bytes than it has",
        () => withLayer("model", { announced: { size: 100_000 } }),
        "ConnectionBroken",
        "of 100000 bytes",
      ],
      [
        "a layer announces fewer bytes than it has",
        () => withLayer("model", { announced: { size: 10 } }),
        "RemoteBlobCorrupt",
        "more than the announced 10",
      ],
      [
        "a layer announces more bytes than any disk has",
        () => withLayer("model", { announced: { size: 2 ** 52 } }),
        "ImportTooLarge",
        "free in the data folder",
      ],
      ["a layer is compressed", () => withLayer("code", { mediaType: mediaTypes.layerGzip }), "LayerInvalid", ""],
      [
        "a model leads out",
        () => withLayer("model", file("var/azureml-app/azureml-models/words/1/../../../../evil")),
        "LayerInvalid",
        "..",
      ],
      ["a model lies elsewhere", () => withLayer("model", file("etc/passwd")), "LayerInvalid", "no file of a model"],
      [
        "a model is a link",
        () =>
          withLayer(
            "model",
            file("var/azureml-app/azureml-models/words/1/x", { type: "symlink", linkname: "/etc/passwd" }),
          ),
        "LayerInvalid",
        "is a link",
      ],
      ["code has an absolute path", () => withLayer("code", file("/etc/cron.d/evil")), "LayerInvalid", "absolute"],
      [
        "code comes twice",
        () => withLayer("code", { members: [...plainLayers.code.members, ...plainLayers.code.members] }),
        "LayerInvalid",
        "comes twice",
      ],
      [
        "code lies below a file",
        () =>
          withLayer("code", {
            members: [...plainLayers.code.members, { name: "var/azureml-app/score.py/x", content: "" }],
          }),
        "LayerInvalid",
        "below a file",
      ],
      [
        "the environment lies elsewhere",
        () => withLayer("environment", env({ name: "root/.ssh/keys", content: "x" })),
        "LayerInvalid",
        "outside of opt/env",
      ],
      [
        "the environment has a link out",
        () => withLayer("environment", env({ name: "opt/env/x", type: "symlink", linkname: "../../../etc" })),
        "LayerInvalid",
        "leads out",
      ],
      [
        "the environment writes through a link",
        () =>
          withLayer(
            "environment",
            env({ name: "opt/env/x", type: "symlink", linkname: "lib" }, { name: "opt/env/x/y", content: "x" }),
          ),
        "LayerInvalid",
        "behind a link",
      ],
      [
        "the environment has a link out by way of another",
        () =>
          withLayer(
            "environment",
            env(
              { name: "opt/env/here", type: "symlink", linkname: "." },
              { name: "opt/env/out", type: "symlink", linkname: "here/../../" },
            ),
          ),
        "LayerInvalid",
        "leads out",
      ],
      [
        "the environment has a device",
        () => withLayer("environment", env({ name: "opt/env/zero", type: "character-device" })),
        "LayerInvalid",
        "neither a file",
      ],
      [
        "the environment says where Python is",
        () => withLayer("environment", env({ name: "opt/env/pyvenv.cfg", content: "home = /x" })),
        "LayerInvalid",
        "not for an image",
      ],
      [
        "its description is none",
        () => withLayer("configuration", file("opt/slipway/image.json")),
        "LayerInvalid",
        "no description",
      ],
    ];
    it.each(cases)("%s", async (_, image, code, says) => {
      const scripted = await image();
      const { state, error, operationId } = await imported(scripted);
      expect(error).toMatchObject({ code, message: expect.stringContaining(says) });
      expect(state).toBe("Failed");
      expect((await room.operations.log(operationId)).at(-1)?.text).toContain("The import ended:");
      await expectNothingLeft();
      await expect(access("/etc/cron.d/evil")).rejects.toThrow();
      expect(layer("base")).toBe(0);
    });

    it.each<[what: string, first: Answer, code: string]>([
      [
        "the registry wants a login",
        (_, response) => response.writeHead(401, { "WWW-Authenticate": "Basic" }).end() !== undefined,
        "RegistryAccessDenied",
      ],
      [
        "the registry does not have it",
        (_, response) => response.writeHead(404).end() !== undefined,
        "RemoteImageNotFound",
      ],
      ["the registry says nothing", () => true, "RegistrySilent"],
    ])("%s", async (_, first, code) => {
      const { error } = await imported(await scriptedImage(), first);
      expect(error?.code).toBe(code);
      await expectNothingLeft();
    });

    it("a layer ends too early, always", async () => {
      const image = await scriptedImage();
      const model = image.layers[layer("model")] ?? "";
      const { error } = await imported(image, (_, response, path) => {
        if (!path.endsWith(model)) return false;
        const blob = image.blobs.get(model) ?? Buffer.alloc(0);
        response
          .writeHead(200, { "Content-Length": String(blob.length) })
          .write(blob.subarray(0, 700), () => response.destroy());
        return true;
      });
      expect(error?.code).toBe("ConnectionBroken");
      await expectNothingLeft();
    });

    it("a layer has other bytes", async () => {
      const image = await scriptedImage();
      const model = image.layers[layer("model")] ?? "";
      const { error } = await imported(image, (_, response, path) => {
        if (!path.endsWith(model)) return false;
        response.end(Buffer.from(image.blobs.get(model) ?? "").fill("x", 600, 605));
        return true;
      });
      expect(error).toMatchObject({ code: "RemoteBlobCorrupt", message: expect.stringContaining(model) });
      await expectNothingLeft();
    });
  });

  it("can be stopped, and leaves nothing behind", async () => {
    const image = await scriptedImage();
    const asked = Promise.withResolvers<void>();
    const registry = await serve(image, (_, __, path) => {
      const isCode = path.endsWith(image.layers[4] ?? "");
      if (isCode) asked.resolve();
      return isCode;
    });
    const { id, operationId } = await start(registry);
    await asked.promise;
    expect((await room.images.get(room.workspace.id, id)).state).toBe("Running");
    await room.runner.cancel(operationId);
    expect(await room.built(id)).toMatchObject({ state: "Cancelled" });
    await expectNothingLeft();
  });
});
