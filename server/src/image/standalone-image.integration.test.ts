import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../platform/clock.ts";
import { createHttpApp, type HttpApp } from "../platform/http/app.ts";
import { silentLog } from "../platform/log.ts";
import { type ContainerEngine, hasEngine, startDocker, startPodman } from "../platform/testing/container-engines.ts";
import { freePort } from "../platform/testing/free-port.ts";
import { openBlobUploads, registryRoutes } from "../registry/index.ts";
import { type ImageTestRoom, openImageTestRoom } from "./image-test-room.ts";
import { hasMachinePython, MACHINE_PYTHON, pushMachineBase } from "./testing/machine-base.ts";

const run = promisify(execFile);

const SCORE = `import json, os, subprocess, time
def init():
    global word
    if "FAIL" in os.environ:
        raise ValueError(os.environ["FAIL"])
    word = open(os.path.join(os.environ["AZUREML_MODEL_DIR"], "model.txt")).read()
def state(pid):
    try:
        return open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[0]
    except OSError:
        return "gone"
def run(raw):
    asked = json.loads(raw)
    if "wait" in asked:
        time.sleep(asked["wait"])
    if "orphan" in asked:
        # Its parent ends at once, so the first process of the container inherits it.
        out = subprocess.run(["sh", "-c", "sleep 0.2 & echo $!"], capture_output=True, text=True).stdout
        orphan = int(out)
        end = time.time() + 10
        while state(orphan) in "SR" and time.time() < end:
            time.sleep(0.01)
        while state(orphan) == "Z" and time.time() < end:
            time.sleep(0.01)
        return {"orphan": state(orphan)}
    return {"word": word, "uid": os.getuid(), "first": open("/proc/1/comm").read().strip(),
            "base": os.environ.get("FROM_BASE"), "secret": "SLIPWAY_KEYS" in os.environ, "cwd": os.getcwd()}
`;
const KEY = "a-key";

const canRun = await hasMachinePython();

// Need root, Docker, Podman and Debian's Python.
describe.skipIf(!canRun || !hasEngine("docker"))("an image that Docker pulls and runs with no Slipway around it", () =>
  standsAlone(startDocker),
);
describe.skipIf(!canRun || !hasEngine("podman"))("an image that Podman pulls and runs with no Slipway around it", () =>
  standsAlone(startPodman),
);

function standsAlone(startEngine: typeof startDocker): void {
  let room: ImageTestRoom;
  let app: HttpApp;
  let engine: ContainerEngine;
  let image: string;
  let docker: (...args: string[]) => Promise<string>;

  beforeAll(async () => {
    room = await openImageTestRoom({ env: { PATH: "/usr/bin:/bin", HOME: process.env.HOME } });
    const repository = { workspaceId: room.workspace.id, name: "base" };
    await pushMachineBase(room, repository, `python${MACHINE_PYTHON}`);
    await room.runner.start();
    await room.registerModel("words", "model.txt", "hello");
    const { id } = await room.images.create(room.workspace.id, {
      name: "words-image",
      modelIds: ["words:1"],
      driverProgram: "score.py",
      assets: [await room.asset("score.py", "score.py", SCORE)],
      condaFile: `dependencies:\n  - python=${MACHINE_PYTHON}\n`,
    });
    const built = await room.built(id);
    expect(built.error).toBeNull();
    expect(built.properties["slipway.base"]).toMatch(/^base:python3\.11@sha256:/);

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
    const host = new URL(await app.listen({ host: "127.0.0.1", port: 0 })).host;
    engine = await startEngine({ insecureRegistries: [host] });
    image = `${host}/default/words-image:1`;
    const config = join(room.folder, "docker");
    await mkdir(config);
    await writeFile(join(config, "config.json"), JSON.stringify({ auths: { [host]: { auth: btoa("user:secret") } } }));
    docker = async (...args) => {
      const env = { PATH: process.env.PATH, DOCKER_CONFIG: config, DOCKER_HOST: engine.address };
      return (await run("docker", args, { env, maxBuffer: 16 * 1024 * 1024 })).stdout.trim();
    };
    await docker("pull", "--quiet", image);
  });
  afterAll(async () => {
    await engine?.close();
    await app?.close();
    await room?.close();
  });

  it("serves, as nobody, on a read-only file system, to who has the key", async () => {
    await using container = await start("--read-only", "--cap-drop", "ALL", "-e", `SLIPWAY_KEYS=${KEY}`);
    const answer = await container.score({});
    expect(await answer.json()).toEqual({
      ...{ word: "hello", uid: 65532, first: "scorer", base: "yes", secret: false, cwd: "/var/azureml-app" },
    });
    expect((await container.ask("/score", { method: "POST", body: "{}" })).status).toBe(401);
    expect((await container.ask("/swagger.json", { headers: { authorization: `Bearer ${KEY}` } })).status).toBe(200);
    expect(await (await container.ask("/")).text()).toBe("Healthy");
    const metrics = await (await container.ask("/metrics")).text();
    expect(metrics).toContain('slipway_requests_total{workspace="",service="words-image",revision="1",status="200"} 1');
    await docker("exec", container.id, ...(await healthCheck()));
    expect(await docker("logs", container.id)).toMatch(/scorer: Listening on port \d+ with 1 worker\./);
  });

  it("reaps what other processes leave behind, as first process or under an init", async () => {
    await using container = await start();
    expect(await (await container.score({})).json()).toMatchObject({ first: "scorer" });
    expect(await (await container.score({ orphan: true })).json()).toEqual({ orphan: "gone" });

    // Podman's is a package of its own.
    if (engine.kind === "podman") return;
    await using other = await start("--init");
    expect(await (await other.score({})).json()).toMatchObject({ first: expect.stringMatching(/init|tini/) });
    expect(await (await other.score({ orphan: true })).json()).toEqual({ orphan: "gone" });
  });

  it("ends when it is asked to, after the request that it has", async () => {
    await using container = await start();
    const slow = container.score({ wait: 4 });
    await container.until("slipway_requests_in_flight", 1);
    const stopped = docker("stop", "--time", "60", container.id);
    expect((await slow).status).toBe(200);
    await stopped;
    expect(await docker("inspect", "--format", "{{.State.ExitCode}}", container.id)).toBe("0");
  });

  it.each([
    ["a setting", "SLIPWAY_WORKERS=many", 'SLIPWAY_WORKERS is "many"'],
    ["the script", "FAIL=no luck today", "no luck today"],
  ])("says in its log and its end that it cannot serve because of %s", async (_, variable, reason) => {
    const id = await docker(
      "run",
      "--detach",
      ...COMMON,
      "--env",
      `SLIPWAY_PORT=${await freePort()}`,
      "--env",
      variable,
      image,
    );
    expect(await docker("wait", id)).toBe("1");
    const { stderr } = await run("docker", ["--host", engine.address, "logs", id]);
    expect(stderr).toContain(reason);
  });

  it("has as many workers as processors by the container's limit", async () => {
    await using container = await start("--cpus", "2");
    await container.until("slipway_workers", 2);
  });

  /** Limits that machines may have which cannot raise them; the network is the machine's, since the engine has none of its own. */
  const COMMON = ["--network", "host", "--ulimit", "nofile=10000:20000", "--ulimit", "nproc=20000:20000"];

  async function healthCheck(): Promise<string[]> {
    const [config] = JSON.parse(await docker("image", "inspect", image)) as [{ Config: { Entrypoint: string[] } }];
    expect(config.Config.Entrypoint).toEqual(["/opt/slipway/bin/scorer"]);
    return ["/opt/slipway/bin/node", "/opt/slipway/node_modules/@slipway/scoring/dist/probe.js"];
  }

  async function start(...options: string[]) {
    const port = await freePort();
    const id = await docker("run", "--detach", ...COMMON, "--env", `SLIPWAY_PORT=${port}`, ...options, image);
    const url = `http://127.0.0.1:${port}`;
    const ask = (path: string, init?: RequestInit) => fetch(`${url}${path}`, init);
    const container = {
      id,
      ask,
      score: (body: unknown) =>
        ask("/score", {
          method: "POST",
          body: JSON.stringify(body),
          headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json" },
        }),
      until: (metric: string, value: number) =>
        eventually(async () => {
          const text = await (await ask("/metrics")).text();
          expect(Number(new RegExp(`^${metric}\\{.*\\} (\\d+)$`, "m").exec(text)?.[1])).toBe(value);
        }),
      [Symbol.asyncDispose]: async () => {
        await docker("rm", "--force", id);
      },
    };
    await eventually(async () => expect((await ask("/ready")).status).toBe(200)).catch(async (error) => {
      throw new Error(`The container is not ready.\n${await docker("logs", id)}`, { cause: error });
    });
    return container;
  }
}

async function eventually(attempt: () => Promise<void>): Promise<void> {
  const deadline = performance.now() + 90_000;
  for (;;) {
    try {
      await attempt();
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
