import { Readable } from "node:stream";
import { buffer, json } from "node:stream/consumers";
import { extract } from "tar-stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ownArchitecture } from "../platform/architecture.ts";
import type { Image } from "./image.ts";
import { type ImageTestRoom, openImageTestRoom } from "./image-test-room.ts";
import { pushForeignBase } from "./testing/machine-base.ts";

interface Manifest {
  readonly config: { readonly digest: string };
  readonly annotations: Readonly<Record<string, string>>;
  readonly layers: readonly { readonly digest: string; readonly annotations: Readonly<Record<string, string>> }[];
}

// An ONNX image: it needs neither Python nor a network.
describe("an image on a base", () => {
  let room: ImageTestRoom;
  let image: Image;
  let manifest: Manifest;
  beforeAll(async () => {
    room = await openImageTestRoom();
    const base = { workspaceId: room.workspace.id, name: "base" };
    await pushForeignBase(room, base, "python3.11", ownArchitecture());
    await room.registerModel("digits", "digits.onnx", "an onnx graph", "Onnx");
    await room.runner.start();
    const { id } = await room.images.create(room.workspace.id, {
      ...{ name: "digits", modelIds: ["digits:1"], assets: [] },
      environmentVariables: { WORD: "hel$lo", PATH: "/mine" },
    });
    image = await room.built(id);
    manifest = await read<Manifest>(await room.registry.findManifest(repository(), "1"));
  });
  afterAll(() => room.close());

  const repository = () => ({ workspaceId: room.workspace.id, name: "digits" });
  const blob = (digest: string) => room.registry.findBlob(repository(), digest);
  const read = async <T>(content: { read(): AsyncIterable<Uint8Array> } | undefined) =>
    (await json(Readable.from(content?.read() ?? []))) as T;

  it("has the layers in the order in which they change", () => {
    expect(image.error).toBeNull();
    expect(manifest.layers.map(({ annotations }) => annotations["dev.slipway.layer"])).toEqual([
      ...["base", "runtime", "runtime", "model", "configuration"],
    ]);
    expect(manifest.annotations).toMatchObject({
      "org.opencontainers.image.title": "digits",
      "org.opencontainers.image.base.name": "base:python3.11",
      "org.opencontainers.image.base.digest": expect.stringMatching(/^sha256:/),
    });
  });

  it("says how it is run, and nothing of when it was built", async () => {
    const document = await read<{ config: Record<string, unknown>; rootfs: { diff_ids: string[] } }>(
      await blob(manifest.config.digest),
    );
    expect(document).toMatchObject({
      ...{ os: "linux", architecture: ownArchitecture() },
      config: {
        User: "65532:65532",
        ExposedPorts: { "5001/tcp": {} },
        Entrypoint: ["/opt/slipway/bin/scorer"],
        WorkingDir: "/var/azureml-app",
        Healthcheck: { Test: ["CMD", "/opt/slipway/bin/node", expect.stringMatching(/probe\.js$/)] },
        Labels: { "org.opencontainers.image.base.name": "base:python3.11" },
      },
    });
    // The base's own command would become an argument of ours.
    expect(document.config).not.toHaveProperty("Cmd");
    expect(document.config.Env).toEqual(
      expect.arrayContaining([
        ...["FROM_BASE=yes", "WORD=hel$lo", "PATH=/opt/env/bin:/mine", "SLIPWAY_PORT=5001"],
        "AZUREML_MODEL_DIR=/var/azureml-app/azureml-models/digits/1",
      ]),
    );
    expect(document.rootfs.diff_ids).toHaveLength(manifest.layers.length);
    expect(JSON.stringify([document, manifest])).not.toMatch(/created"|20\d\d-\d\d-\d\dT/);
  });

  it("has its description in the topmost layer", async () => {
    const tar = extract();
    Readable.from((await blob(manifest.layers.at(-1)?.digest ?? ""))?.read() ?? []).pipe(tar);
    const members: Record<string, unknown> = {};
    for await (const member of tar) {
      const content = (await buffer(member)).toString();
      members[member.header.name] = content === "" ? null : JSON.parse(content);
    }
    expect(members).toEqual({
      ...{ "opt/": null, "opt/slipway/": null },
      "opt/slipway/image.json": {
        name: "digits",
        runtime: {
          kind: "onnx",
          models: [{ name: "digits", file: "/var/azureml-app/azureml-models/digits/1/digits.onnx" }],
        },
      },
    });
  });

  it("is written as a Dockerfile that is true", async () => {
    const text = await room.images.dockerfile(image.linkSecret);
    const digest = manifest.annotations["org.opencontainers.image.base.digest"];
    expect(text).toContain(`FROM base:python3.11@${digest}\n`);
    expect(text.match(/^COPY .*$/gm)).toEqual([
      "COPY runtime/ /opt/slipway/",
      "COPY models/digits/1/ /var/azureml-app/azureml-models/digits/1/",
      "COPY configuration/ /",
    ]);
    expect(text).toContain('ENV WORD="hel\\$lo"\n');
    expect(text).toContain('ENV PATH="/opt/env/bin:/mine"\n');
    expect(text).toContain('ENTRYPOINT ["/opt/slipway/bin/scorer"]');
  });

  it("shows the Docker steps that it was given, and who runs by them", async () => {
    const dockerSteps = "FROM base:python3.11\nENV STEP=yes\nUSER 1000:1000\n";
    const { id } = await room.images.create(room.workspace.id, {
      ...{ name: "stepped", modelIds: ["digits:1"], assets: [] },
      targetRuntime: { runtimeType: "Python", targetArchitecture: "amd64", properties: { dockerSteps } },
    });
    const stepped = await room.built(id);
    expect(stepped.error).toBeNull();
    const text = await room.images.dockerfile(stepped.linkSecret);
    expect(text).toContain("# Docker steps of the image:\nENV STEP=yes\nUSER 1000:1000\n");
    expect(text.match(/^FROM /gm)).toHaveLength(1);
    expect(text.match(/^USER .*$/gm)?.at(-1)).toBe("USER 1000:1000");
  });

  it("stays an image without one where none is found: for processes, with the reason", async () => {
    const other = await openImageTestRoom();
    try {
      await other.registerModel("digits", "digits.onnx", "an onnx graph", "Onnx");
      await other.runner.start();
      const { id } = await other.images.create(other.workspace.id, {
        name: "digits",
        modelIds: ["digits:1"],
        assets: [],
      });
      const built = await other.built(id);
      expect(built).toMatchObject({ state: "Succeeded" });
      expect(built.properties["slipway.base"]).toMatch(/^none: ./);
      expect(await other.images.buildLog(built.linkSecret)).toContain("Warning: the image has no base");
      expect(await other.images.dockerfile(built.linkSecret)).toContain("FROM scratch\nCOPY models/");
      expect(await other.images.bundle(other.workspace.id, id)).toMatchObject({ base: null });
    } finally {
      await other.close();
    }
  });
});
