import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ownArchitecture } from "../../platform/architecture.ts";
import { type ContainerEngine, startDocker } from "../../platform/testing/container-engines.ts";
import { type DebianRegistry, startDebianRegistry } from "../../registry/remote/test/debian-registry.ts";
import { type ImageTestRoom, openImageTestRoom } from "../image-test-room.ts";

const run = promisify(execFile);
const program = fileURLToPath(new URL("../../../../scripts/make-base-image.ts", import.meta.url));
const WORD = "copied by a Docker step";

// Needs root, Docker, Debian's docker-registry, a Debian mirror and a package index.
describe("a base image that is made of Debian packages", () => {
  let registry: DebianRegistry;
  let room: ImageTestRoom;
  let reference: string;
  let pythonMinor: string;
  beforeAll(async () => {
    registry = await startDebianRegistry({ tls: true });
    reference = `${registry.host}/team/debian:1`;
    const { username, password } = registry.credentials;
    const { stdout } = await run(process.execPath, ["--conditions=slipway-source", program, "--to", reference], {
      env: {
        ...process.env,
        SSL_CERT_FILE: registry.caFile,
        SLIPWAY_REGISTRY_USERNAME: username,
        SLIPWAY_REGISTRY_PASSWORD: password,
      },
    });
    pythonMinor = /with Python (3\.\d+)/.exec(stdout)?.[1] ?? "";
    room = await openImageTestRoom({ ca: registry.ca === undefined ? [] : [registry.ca] });
    await room.runner.start();
    await room.registerModel("words", "model.txt", "hello");
  });
  afterAll(async () => {
    await room?.close();
    await registry?.close();
  });

  const resolve = (more: { readonly architecture?: string; readonly pythonVersion?: string }) =>
    room.bases.resolve({
      workspaceId: room.workspace.id,
      reference,
      credentials: registry.credentials,
      architecture: ownArchitecture(),
      signal: AbortSignal.timeout(60_000),
      ...more,
    });

  it("is small, has its Python, and nobody's root", async () => {
    const base = await resolve({ pythonVersion: pythonMinor });
    expect(base.pythonPath).toBe(`/usr/bin/python${pythonMinor}`);
    expect(base.config).toMatchObject({ user: "65532", env: { LANG: "C.UTF-8" } });
    const bytes = base.layers.reduce((sum, layer) => sum + layer.sizeBytes, 0);
    expect(bytes).toBeLessThan(60_000_000);
  });

  it("is refused for what it has not", async () => {
    await expect(resolve({ pythonVersion: "3.6" })).rejects.toMatchObject({ code: "BaseWithoutPython" });
    await expect(resolve({ architecture: "riscv64" })).rejects.toMatchObject({ code: "PlatformNotOffered" });
    const anonymous = room.bases.resolve({
      ...{ workspaceId: room.workspace.id, reference, architecture: ownArchitecture() },
      signal: AbortSignal.timeout(60_000),
    });
    // What was pulled with somebody's login is not there for those without.
    await expect(anonymous).rejects.toMatchObject({ code: "RegistryAccessDenied" });
  });

  describe("under an image with Docker steps", () => {
    let engine: ContainerEngine;
    beforeAll(async () => {
      engine = await startDocker({ insecureRegistries: [registry.host] });
    });
    afterAll(() => engine?.close());

    it("runs in Docker, with the steps' files and variables", async () => {
      const steps = `FROM ${reference}
ENV WORD_FILE=/srv/words/word.txt PATH=/srv/bin:$PATH
LABEL team=words
WORKDIR /srv
COPY word.txt words/
COPY word.txt /bin/not-a-program`;
      const { id } = await room.images.create(room.workspace.id, {
        name: "words-image",
        modelIds: ["words:1"],
        driverProgram: "score.py",
        assets: [
          await room.asset("score.py", "score.py", "def init(): pass\ndef run(raw): return raw\n"),
          await room.asset("word.txt", "word.txt", WORD),
        ],
        condaFile: `dependencies:\n  - python=${pythonMinor}\n`,
        targetRuntime: {
          runtimeType: "PythonCustom",
          targetArchitecture: ownArchitecture(),
          properties: { dockerSteps: steps },
        },
        baseCredentials: registry.credentials,
      });
      const image = await room.built(id);
      expect(image.error).toBeNull();
      expect(image.properties["slipway.base"]).toContain(reference);

      const target = `${registry.host}/team/words:1`;
      const push = await room.pusher.push(room.workspace.id, id, target, registry.credentials);
      await room.runner.waitForEnd(room.workspace.id, push, AbortSignal.timeout(120_000));
      expect((await room.operations.find(room.workspace.id, push))?.status).toBe("Succeeded");

      const config = join(room.folder, "docker");
      await mkdir(config);
      const auth = btoa(`${registry.credentials.username}:${registry.credentials.password}`);
      await writeFile(join(config, "config.json"), JSON.stringify({ auths: { [registry.host]: { auth } } }));
      const env = { PATH: process.env.PATH, DOCKER_CONFIG: config, DOCKER_HOST: engine.address };
      const python = `import ctypes, json, os, pwd, sqlite3, ssl
ctypes.CDLL("libgomp.so.1"), ctypes.CDLL("libstdc++.so.6")
print(json.dumps({"word": open(os.environ["WORD_FILE"]).read(), "path": os.environ["PATH"], "shell": os.system("true"),
  "links": [os.path.islink("/bin"), os.path.exists("/usr/bin/not-a-program")], "user": pwd.getpwuid(os.getuid()).pw_name,
  "authorities": ssl.create_default_context().cert_store_stats()["x509_ca"] > 100, "compiled": os.path.exists(ssl.__cached__)}))`;
      const command = ["run", "--rm", "--network", "none", "--read-only", "--entrypoint", "/opt/env/bin/python"];
      const { stdout } = await run("docker", [...command, target, "-c", python], { env });
      expect(JSON.parse(stdout)).toEqual({
        ...{ word: WORD, user: "slipway", authorities: true, compiled: true, links: [true, true] },
        ...{ shell: 0, path: "/opt/env/bin:/srv/bin:/usr/local/bin:/usr/bin:/bin" },
      });
      const { stdout: labels } = await run("docker", ["inspect", "--format", "{{json .Config.Labels}}", target], {
        env,
      });
      expect(JSON.parse(labels)).toMatchObject({ team: "words" });
    });
  });
});
