import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { identifyProcess, isAlive } from "../process-identity.ts";

/** A private container engine: own storage, own socket, nothing of the machine's. */
export interface ContainerEngine {
  readonly kind: "docker" | "podman";
  readonly socketPath: string;
  /** `unix://…` for `--container-engine`, DOCKER_HOST and CONTAINER_HOST */
  readonly address: string;
  /** Ends the engine, waits for its end, and starts it again over the same storage. */
  restart(): Promise<void>;
  /** Ends the engine without warning; `start` brings it back. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** Removes all containers, ends the engine, deletes its storage. */
  close(): Promise<void>;
}

export interface EngineWishes {
  /** containers outlive the daemon; docker only, podman's always do */
  readonly liveRestore?: boolean;
  /** registries that are spoken to without TLS */
  readonly insecureRegistries?: readonly string[];
}

/** Machines that may not raise limits refuse what engines ask for by default. */
const ULIMITS = {
  nofile: { Name: "nofile", Soft: 10_000, Hard: 20_000 },
  nproc: { Name: "nproc", Soft: 20_000, Hard: 20_000 },
};
const START_MS = 30_000;
const END_MS = 30_000;

/** Whether one can be started here: its program is installed, and we are root. */
export function hasEngine(kind: ContainerEngine["kind"]): boolean {
  const program = kind === "docker" ? "dockerd" : "podman";
  const folders = (process.env.PATH ?? "").split(delimiter);
  return process.getuid?.() === 0 && folders.some((folder) => existsSync(join(folder, program)));
}

/** Starts a `dockerd` of our own; needs root. Containers have no network but `none` and `host`. */
export async function startDocker(wishes: EngineWishes = {}): Promise<ContainerEngine> {
  const folder = await mkdtemp(join(tmpdir(), "slipway-docker-"));
  const socketPath = join(folder, "engine.sock");
  const configFile = join(folder, "daemon.json");
  await writeFile(
    configFile,
    JSON.stringify({
      hosts: [`unix://${socketPath}`],
      "data-root": join(folder, "data"),
      "exec-root": join(folder, "exec"),
      pidfile: join(folder, "dockerd.pid"),
      "default-ulimits": ULIMITS,
      // The machine's firewall and interfaces stay as they are, and several engines can run side by side.
      iptables: false,
      ip6tables: false,
      bridge: "none",
      "live-restore": wishes.liveRestore ?? false,
      "insecure-registries": wishes.insecureRegistries ?? [],
      "shutdown-timeout": 5,
    }),
  );
  return engine("docker", folder, socketPath, "dockerd", ["--config-file", configFile]);
}

/** Starts a `podman system service` of our own with runc; crun refuses control groups of version 1. */
export async function startPodman(wishes: EngineWishes = {}): Promise<ContainerEngine> {
  const folder = await mkdtemp(join(tmpdir(), "slipway-podman-"));
  const socketPath = join(folder, "engine.sock");
  const registries = join(folder, "registries.conf");
  await writeFile(
    registries,
    (wishes.insecureRegistries ?? [])
      .map((host) => `[[registry]]\nlocation = ${JSON.stringify(host)}\ninsecure = true\n`)
      .join("\n"),
  );
  const storage = ["--root", join(folder, "data"), "--runroot", join(folder, "exec"), "--storage-driver", "overlay"];
  const runtime = ["--runtime", "runc", "--cgroup-manager", "cgroupfs", "--events-backend", "file"];
  const service = ["system", "service", "--time", "0", `unix://${socketPath}`];
  return engine("podman", folder, socketPath, "podman", [...storage, ...runtime, ...service], {
    CONTAINERS_REGISTRIES_CONF: registries,
  });
}

async function engine(
  kind: ContainerEngine["kind"],
  folder: string,
  socketPath: string,
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<ContainerEngine> {
  const logFile = join(folder, "engine.log");
  let daemon: ChildProcess | undefined;

  async function start(): Promise<void> {
    await using log = await open(logFile, "a");
    // Podman's companions leave files in the working folder.
    daemon = spawn(program, args, { cwd: folder, stdio: ["ignore", log.fd, log.fd], env: { ...process.env, ...env } });
    const failed = once(daemon, "error").then(([error]) => Promise.reject(error));
    failed.catch(() => undefined);
    const deadline = performance.now() + START_MS;
    while (!(await answers(socketPath))) {
      if (daemon.exitCode !== null || performance.now() > deadline) {
        throw new Error(`${program} does not answer:\n${(await readFile(logFile, "utf8")).slice(-2000)}`);
      }
      await Promise.race([sleep(50), failed]);
    }
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    const ending = daemon;
    daemon = undefined;
    if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return;
    const ended = once(ending, "exit");
    ending.kill(signal);
    const timer = setTimeout(() => ending.kill("SIGKILL"), END_MS);
    await ended;
    clearTimeout(timer);
    await companionEnds(join(folder, "exec", "containerd", "containerd.pid"));
  }

  async function close(): Promise<void> {
    // An engine that does not run leaves its containers behind.
    if (daemon === undefined) await start();
    const containers: unknown = JSON.parse(await call(socketPath, "GET", "/containers/json?all=true"));
    for (const { Id } of containers as readonly { readonly Id: string }[]) {
      await call(socketPath, "DELETE", `/containers/${Id}?force=true&v=true`);
    }
    await end("SIGTERM");
    await unmountBelow(folder);
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }

  await start();
  return {
    kind,
    socketPath,
    address: `unix://${socketPath}`,
    start,
    kill: () => end("SIGKILL"),
    async restart() {
      await end("SIGTERM");
      await start();
    },
    close,
  };
}

/** The kernel ends dockerd's own containerd with it, but a moment later; a new dockerd would take the dying one for its own. */
async function companionEnds(pidFile: string): Promise<void> {
  const pid = Number(await readFile(pidFile, "utf8").catch(() => "0"));
  const companion = pid > 0 ? await identifyProcess(pid) : undefined;
  const deadline = performance.now() + END_MS;
  while (companion !== undefined && (await isAlive(companion)) && performance.now() < deadline) await sleep(20);
  // Its zombie keeps the number until it is reaped, and would count as running.
  await rm(pidFile, { force: true });
}

async function unmountBelow(folder: string): Promise<void> {
  const mounts = (await readFile("/proc/self/mounts", "utf8")).split("\n").map((line) => line.split(" ")[1] ?? "");
  const below = mounts.filter((path) => path.startsWith(`${folder}/`)).sort();
  for (const path of below.reverse()) await promisify(execFile)("umount", ["--lazy", path]);
}

async function answers(socketPath: string): Promise<boolean> {
  return call(socketPath, "GET", "/_ping").then(
    () => true,
    () => false,
  );
}

function call(socketPath: string, method: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request(
      { socketPath, method, path, agent: false, signal: AbortSignal.timeout(30_000) },
      (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          text += chunk;
        });
        response.on("end", () => resolve(text));
        response.on("error", reject);
      },
    );
    asked.on("error", reject);
    asked.end();
  });
}
