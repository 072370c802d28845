import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ownArchitecture } from "../../platform/architecture.ts";
import { createEngineClient, type EngineClient } from "../../platform/engine/engine-client.ts";
import { loadImage } from "../../platform/engine/load-image.ts";
import { ownLimits } from "../../platform/engine/own-limits.ts";
import { type ContainerEngine, hasEngine, startDocker, startPodman } from "../../platform/testing/container-engines.ts";
import { type DebianRegistry, startDebianRegistry } from "../../registry/remote/test/debian-registry.ts";
import { createImageInspector } from "../contents/image-inspector.ts";
import { readImageBlobs } from "../image-blobs.ts";
import { type ImageTestRoom, openImageTestRoom } from "../image-test-room.ts";

const run = promisify(execFile);
const program = fileURLToPath(new URL("../../../../scripts/make-base-image.ts", import.meta.url));
const signal = () => AbortSignal.timeout(120_000);

/** A step without a program of the base but Python, which the base has. */
const python = (code: string) => `RUN ${JSON.stringify(["python3", "-c", code])}`;

const STEPS = `ENV GREETING=hello
WORKDIR /srv/app
COPY word.txt /srv/words/
# A remark in between.
RUN read word < /srv/words/word.txt || :; \\
    echo "$GREETING $word" > made.txt && \\
    echo "made in $PWD"
${python("import os, shutil; os.chmod('made.txt', 0o2640); os.chown('made.txt', 1234, 2345); os.link('made.txt', '/a-link'); os.symlink('made.txt', 'link'); shutil.rmtree('/usr/share/doc'); import sysconfig; place = sysconfig.get_path('purelib'); os.makedirs(place, exist_ok=True); open(place + '/stepped.py', 'w').write('WORD = 1'); os.remove('/etc/timezone'); os.remove('/var/lib/dpkg/status.d/tzdata')")}
USER slipway
${python("import os; open('/tmp/uid', 'w').write(str(os.getuid()))")}
RUN :
COPY word.txt /srv/after.txt
`;

/** Looks around in a container. */
const LOOK = `import json, os, stepped
made = os.lstat("/srv/app/made.txt")
print(json.dumps({
  "made": open("/srv/app/made.txt").read(), "owner": [made.st_uid, made.st_gid], "mode": oct(made.st_mode), "time": made.st_mtime,
  "links": [os.path.samefile("/a-link", "/srv/app/made.txt"), os.readlink("/srv/app/link")],
  "gone": [os.path.exists(path) for path in ("/etc/timezone", "/usr/share/doc", "/var/lib/dpkg/status.d/tzdata")],
  "there": [os.path.exists(path) for path in ("/srv/after.txt", "/srv/words/word.txt", "/etc/passwd")],
  "uid": open("/tmp/uid").read(), "package": stepped.WORD}))`;

// Needs root, Docker and Podman, Debian's docker-registry and a Debian mirror.
let registry: DebianRegistry;
let reference: string;
let pythonMinor: string;
beforeAll(async () => {
  registry = await startDebianRegistry({ tls: false });
  reference = `${registry.host}/team/debian:1`;
  const { username, password } = registry.credentials;
  const { stdout } = await run(process.execPath, ["--conditions=slipway-source", program, "--to", reference], {
    env: { ...process.env, SLIPWAY_REGISTRY_USERNAME: username, SLIPWAY_REGISTRY_PASSWORD: password },
  });
  pythonMinor = /with Python (3\.\d+)/.exec(stdout)?.[1] ?? "";
});
afterAll(() => registry?.close());

async function openRoom(options: Parameters<typeof openImageTestRoom>[0]): Promise<ImageTestRoom> {
  const room = await openImageTestRoom(options);
  await room.runner.start();
  await room.registerModel("words", "model.txt", "hello");
  return room;
}

async function create(
  room: ImageTestRoom,
  dockerSteps: string,
  { code = "", targetArchitecture = ownArchitecture(), baseImage = reference } = {},
) {
  return room.images.create(room.workspace.id, {
    name: "stepped",
    modelIds: ["words:1"],
    driverProgram: "score.py",
    assets: [
      await room.asset("score.py", "score.py", `def init(): pass\ndef run(raw): return raw\n${code}`),
      await room.asset("word.txt", "word.txt", "world\n"),
    ],
    condaFile: `dependencies:\n  - python=${pythonMinor}\n`,
    targetRuntime: {
      runtimeType: "PythonCustom",
      targetArchitecture,
      properties: { baseImage, dockerSteps },
    },
    baseCredentials: registry.credentials,
  });
}

async function build(room: ImageTestRoom, dockerSteps: string, more: Parameters<typeof create>[2] = {}) {
  const { id, operationId } = await create(room, dockerSteps, more);
  const image = await room.built(id);
  const log = (await room.operations.log(operationId)).map(({ text }) => text);
  return { image, log };
}

const engines = [
  ["Docker", hasEngine("docker"), startDocker],
  ["Podman", hasEngine("podman"), startPodman],
] as const;

for (const [name, isHere, start] of engines) {
  describe.skipIf(!isHere)(`RUN steps by ${name}`, () => runSteps(start));
}

function runSteps(start: () => Promise<ContainerEngine>): void {
  let engine: ContainerEngine;
  let client: EngineClient;
  let room: ImageTestRoom;
  beforeAll(async () => {
    engine = await start();
    client = createEngineClient(engine.socketPath);
    room = await openRoom({ engine: engine.address });
  });
  afterAll(async () => {
    await room?.close();
    await engine?.close();
  });

  /** Everything of builds that is in the engine. */
  async function leftBehind(): Promise<readonly string[]> {
    const found = await Promise.all([client.containers({}), client.images({})]);
    return [...found[0].map(({ Id }) => Id), ...found[1]];
  }

  async function look(image: { readonly id: string; readonly digest: string | null }): Promise<unknown> {
    const repository = { workspaceId: room.workspace.id, name: "stepped" };
    const bundle = { imageId: image.id, imageDigest: image.digest ?? "", repository };
    const blobs = await readImageBlobs(room.registry, bundle);
    await loadImage(client, image.id, blobs, "localhost/looked-at:1", [], { signal: signal(), say() {} });
    const id = await client.createContainer("looking", {
      Image: "localhost/looked-at:1",
      Entrypoint: ["/opt/env/bin/python", "-c", LOOK],
      User: "0:0",
      HostConfig: { NetworkMode: "none", Ulimits: await ownLimits() },
    });
    if (id === undefined || id === "conflict") throw new Error("The container could not be made.");
    try {
      await client.startContainer(id);
      await client.waitContainer(id, { silenceMs: 60_000, signal: signal() });
      // Podman writes down what a program said last a moment after its end.
      await expect.poll(() => client.output(id, 100), { timeout: 30_000 }).toMatch(/\}\s*$/);
      return JSON.parse(await client.output(id, 100));
    } finally {
      await client.removeContainer(id);
      await client.removeImage("localhost/looked-at:1");
    }
  }

  test("change the image as they would anywhere, and are not done again", async () => {
    const { image, log } = await build(room, STEPS);
    expect(image.error).toBeNull();
    expect(await leftBehind()).toEqual([]);
    expect(log).toContain("  made in /srv/app");
    expect(await look(image)).toEqual({
      ...{ made: "hello world\n", owner: [1234, 2345], mode: "0o102640", time: 0, links: [true, "made.txt"] },
      ...{ gone: [false, false, false], there: [true, true, true], uid: "65532", package: 1 },
    });

    const { registry, database, folders, proofs, workspace } = room;
    const inspector = createImageInspector({ database, registry, folders, proofs });
    const contents = await inspector.contents(workspace.id, image.id);
    expect(contents.layers.map(({ kind }) => kind)).toEqual([
      ...[
        "base",
        "steps",
        "steps",
        "steps",
        "steps",
        "steps",
        "runtime",
        "environment",
        "code",
        "model",
        "code",
        "configuration",
      ],
    ]);
    expect(contents.layers.map(({ title }) => title)).toContainEqual(expect.stringMatching(/^steps RUN read word/));
    const packages = contents.base?.contents.packages.map((one) => one.name) ?? [];
    expect(packages).toContain("libc6");
    expect(packages).not.toContain("tzdata");
    expect(await room.images.dockerfile(image.linkSecret)).toMatch(
      /^FROM [^\n]+\n# Docker steps of the image:\nENV GREETING=hello\n[\s\S]*RUN read word[\s\S]*\nCOPY runtime\//m,
    );

    const again = await build(room, STEPS, { code: "# another\n" });
    expect(again.image.error).toBeNull();
    expect(again.log.filter((line) => line === "  done before, on the same layers")).toHaveLength(4);
    expect(again.log).not.toContain("  made in /srv/app");
    const changed = await build(room, STEPS.replace("'/tmp/uid'", "'/tmp/other'"));
    expect(changed.log.filter((line) => line === "  done before, on the same layers")).toHaveLength(2);
    const layers = await inspector.contents(workspace.id, again.image.id);
    expect(layers.layers.slice(0, 5)).toMatchObject(contents.layers.slice(0, 5).map(({ digest }) => ({ digest })));
  });

  test("that fail say their line, exit code and last words", async () => {
    const { image, log } = await build(room, "ENV A=1\n\nRUN echo one; echo two >&2; exit 3");
    expect(image.state).toBe("Failed");
    expect(image.error).toMatchObject({
      code: "RunStepFailed",
      message: expect.stringMatching(/line 3: RUN "echo one.*exit code 3.*two/s),
    });
    expect(log).toContain("  one");
    expect(await leftBehind()).toEqual([]);
  });

  test.each([
    ['RUN ["/no/such/program"]', "RunStepNotStarted", /line 1: RUN "\[.*no such file/],
    [
      python("import os; os.makedirs('/opt/slipway/bin'); open('/opt/slipway/bin/node', 'w')"),
      "DockerStepInvalid",
      /\/opt\/slipway.* belongs to Slipway/,
    ],
    [
      python("import os, sys; os.remove(os.path.realpath(sys.executable))"),
      "DockerStepInvalid",
      /takes away \/usr\/bin\/python3/,
    ],
  ])("%s is refused", async (step, code, message) => {
    const { image } = await build(room, step);
    expect(image.error).toMatchObject({ code, message: expect.stringMatching(message) });
    expect(await leftBehind()).toEqual([]);
  });

  test("for another processor, or without a base, are refused", async () => {
    const targetArchitecture = ownArchitecture() === "amd64" ? "arm64" : "amd64";
    await expect(create(room, "RUN :", { targetArchitecture })).rejects.toMatchObject({
      code: "RunStepNeedsEngine",
      message: expect.stringContaining(`the image is for ${targetArchitecture}`),
    });
    const { image } = await build(room, "RUN :", { baseImage: `${registry.host}/team/nothing:1` });
    expect(image.error).toMatchObject({ code: "RunStepNeedsBase", message: expect.stringContaining("team/nothing") });
  });

  test("that take too long are stopped", async () => {
    const hasty = await openRoom({ engine: engine.address, stepMs: 5_000 });
    try {
      const { image } = await build(hasty, python("import time; time.sleep(3600)"));
      expect(image.error).toMatchObject({ code: "RunStepTooLong", message: expect.stringContaining("line 1") });
      expect(await leftBehind()).toEqual([]);
    } finally {
      await hasty.close();
    }
  });

  /** Waits until the step is under way. */
  async function beginLongStep() {
    const { id, operationId } = await create(room, python("import time; print('begun', flush=True); time.sleep(3600)"));
    const printed = async () => (await room.operations.log(operationId)).some(({ text }) => text === "  begun");
    await expect.poll(printed, { timeout: 120_000 }).toBe(true);
    return { id, operationId };
  }

  test("that lose their engine fail, and the next start removes what they have left", async () => {
    const { id } = await beginLongStep();
    await engine.kill();
    try {
      expect((await room.built(id)).error?.code).toMatch(/^Engine/);
    } finally {
      await engine.start();
    }
    expect(await leftBehind()).not.toEqual([]);
    await room.stepEngine.tidy();
    expect(await leftBehind()).toEqual([]);
    expect(await readdir(join(room.folder, "docker-steps"))).toEqual([]);
  });

  test("that are cancelled end at once, and nothing stays", async () => {
    const { id, operationId } = await beginLongStep();
    await room.runner.cancel(operationId);
    expect((await room.built(id)).state).toBe("Cancelled");
    await expect.poll(leftBehind, { timeout: 60_000 }).toEqual([]);
  });
}
