import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { freePort } from "../../../server/src/platform/testing/free-port.ts";

export { freePort };

export const repository = fileURLToPath(new URL("../../..", import.meta.url));
const launcher = join(repository, "cli/bin/slipway.js");
const READY_DEADLINE_MS = 120_000;

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** both streams in the order they came */
  readonly output: string;
}

/** A whole Slipway of a test's own: temporary data folder, free ports, real processes. */
export interface Installation {
  readonly dataFolder: string;
  readonly url: string;
  readonly gatewayUrl: string;
  /** `slipway <args>` against this installation */
  slipway(args: readonly string[], options?: RunOptions): Promise<Finished>;
  /** the genuine client's Python runs a script of `e2e/python` through `slipway exec`, in `cwd` */
  python(script: string, args: readonly string[], options: RunOptions & { readonly cwd: string }): Promise<Finished>;
  /** SIGKILL to the control plane; the supervisor starts it again */
  killControlPlane(): Promise<void>;
  /** SIGKILL to supervisor and control plane: only gateway and services live on, until `start` */
  killAllButServing(): Promise<void>;
  health(): Promise<{ pid: number; startedAt: string }>;
  /** the gateway's process; throws while none answers */
  gatewayPid(): Promise<number>;
  /** what `slipway up` has printed so far */
  upOutput(): string;
  /** stops `slipway up` as Ctrl-C does, services included */
  stop(): Promise<void>;
  /** starts it again on the same data folder and ports */
  start(args?: readonly string[]): Promise<void>;
  /** stops everything and removes the data folder */
  dispose(): Promise<void>;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  readonly timeoutMs?: number;
}

export async function startInstallation(
  upArguments: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<Installation> {
  const dataFolder = await mkdtemp(join(tmpdir(), "slipway-e2e-"));
  const [port, gatewayPort] = await Promise.all([freePort(), freePort()]);
  const url = `https://localhost:${port}`;
  let up: ChildProcess | undefined;
  let output = "";

  async function start(args: readonly string[] = upArguments): Promise<void> {
    output = "";
    const command = [
      launcher,
      "up",
      "--data",
      dataFolder,
      "--port",
      String(port),
      "--gateway-port",
      String(gatewayPort),
      ...args,
    ];
    const child = spawn(process.execPath, command, {
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
      env: { ...process.env, ...env },
    });
    up = child;
    const ready = new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`not ready: ${output}`)), READY_DEADLINE_MS);
      createInterface({ input: child.stdout }).on("line", (line) => {
        output += `${line}\n`;
        if (line.startsWith("Slipway is ready at")) {
          clearTimeout(timer);
          resolve();
        }
      });
      createInterface({ input: child.stderr }).on("line", (line) => {
        output += `${line}\n`;
      });
      child.once("exit", (code) => {
        clearTimeout(timer);
        reject(new Error(`slipway up ended with ${code}: ${output}`));
      });
    });
    await ready;
  }

  async function stop(): Promise<void> {
    const child = up;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGINT");
    await exited;
  }

  async function health() {
    const { pid, startedAt } = (await httpsJson(`${url}/slipway/v1/health`, join(dataFolder, "tls/ca.pem"))) as {
      pid: number;
      startedAt: string;
    };
    return { pid, startedAt };
  }

  await start();
  return {
    dataFolder,
    url,
    gatewayUrl: `https://localhost:${gatewayPort}`,
    slipway: (args, options = {}) =>
      run([process.execPath, launcher, ...args], { ...options, env: { ...options.env, SLIPWAY_DATA: dataFolder } }),
    python: (script, args, options) => {
      const file = existsSync(script) ? script : join(repository, "e2e/python", script);
      return run(
        [
          process.execPath,
          launcher,
          "exec",
          "--data",
          dataFolder,
          "--",
          genuinePython(),
          "-W",
          "ignore",
          file,
          ...args,
        ],
        // The client leaves files behind where temporary ones are.
        { ...options, env: { TMPDIR: options.cwd, ...options.env } },
      );
    },
    async killControlPlane() {
      process.kill((await health()).pid, "SIGKILL");
    },
    async killAllButServing() {
      const { pid } = await health();
      const exited = up?.exitCode === null && up.signalCode === null ? once(up, "exit") : undefined;
      up?.kill("SIGKILL");
      process.kill(pid, "SIGKILL");
      await exited;
      // Dead is who answers no more; a start that comes earlier would be refused.
      await eventually(async () =>
        health().then(
          () => undefined,
          () => true,
        ),
      );
    },
    health,
    gatewayPid: () => gatewayPid(join(dataFolder, "gateway/control.sock")),
    upOutput: () => output,
    stop,
    start,
    async dispose() {
      await stop();
      await rm(dataFolder, { recursive: true, force: true });
    },
  };
}

/** The interpreter with the genuine azureml-core; `npm test` installs it and names it here. */
export function genuinePython(): string {
  const python = process.env.SLIPWAY_TEST_AZUREML_PYTHON;
  if (python === undefined || python === "")
    throw new Error("SLIPWAY_TEST_AZUREML_PYTHON is not set: run the tests with npm test.");
  return python;
}

export const hasGenuineClient = (process.env.SLIPWAY_TEST_AZUREML_PYTHON ?? "") !== "";

export async function run(command: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const [program = "", ...args] = command;
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ["pipe", "pipe", "pipe"],
    timeout: options.timeoutMs ?? 500_000,
    killSignal: "SIGKILL",
  });
  const finished = { stdout: "", stderr: "", output: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    finished.stdout += text;
    finished.output += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    finished.stderr += text;
    finished.output += text;
  });
  child.stdin.on("error", () => {
    // The program may end without reading.
  });
  child.stdin.end(options.input ?? "");
  const [code] = (await once(child, "close")) as [number | null];
  return { code, ...finished };
}

/** Polls until `check` returns something or the deadline passes; the last failure is the error. */
export async function eventually<T>(check: () => Promise<T | undefined>, deadlineMs = 90_000): Promise<T> {
  const end = Date.now() + deadlineMs;
  let last: unknown = new Error("the condition never came true");
  while (Date.now() < end) {
    try {
      const result = await check();
      if (result !== undefined) return result;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw last;
}

function gatewayPid(socketPath: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path: "/state", timeout: 2_000 }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text: string) => {
        body += text;
      });
      response.on("end", () => resolve((JSON.parse(body) as { pid: number }).pid));
    });
    asked.on("timeout", () => asked.destroy(new Error("The gateway does not answer.")));
    asked.on("error", reject).end();
  });
}

async function httpsJson(url: string, caFile: string): Promise<unknown> {
  const { Agent, fetch } = await import("undici");
  const dispatcher = new Agent({ connect: { ca: await readFile(caFile, "utf8") } });
  try {
    return await (await fetch(url, { dispatcher })).json();
  } finally {
    await dispatcher.close();
  }
}
