import { execFile, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const launcher = fileURLToPath(new URL("../bin/slipway.js", import.meta.url));
const START_MS = 120_000;

export interface Outcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A real server in a folder of its own, and the real command line against it. */
export interface CliUnderTest {
  /** for files of a test; also the working folder of commands */
  readonly folder: string;
  readonly data: string;
  slipway(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Outcome>;
  /** The result of a command that must succeed, decoded from `--output json`. */
  json<Result>(...args: readonly string[]): Promise<Result>;
  stop(): Promise<void>;
}

export async function startCliUnderTest(): Promise<CliUnderTest> {
  const folder = await mkdtemp(join(tmpdir(), "slipway-cli-"));
  const data = join(folder, "data");
  const [port, gatewayPort] = await freePorts();
  const ports = ["--port", String(port), "--gateway-port", String(gatewayPort)];
  const server = spawn(process.execPath, [launcher, "up", "--data", data, ...ports], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = once(server, "exit");
  const output: string[] = [];
  await new Promise<void>((resolve, reject) => {
    const fail = (why: string) => reject(new Error(`The server ${why}:\n${output.join("\n")}`));
    const late = setTimeout(() => fail("was not ready in time"), START_MS);
    server.once("exit", () => fail("ended"));
    for (const stream of [server.stdout, server.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        output.push(line);
        if (!line.startsWith("Slipway is ready at")) return;
        clearTimeout(late);
        resolve();
      });
    }
  });

  const slipway: CliUnderTest["slipway"] = (args, env = {}) =>
    run(process.execPath, [launcher, ...args], folder, {
      SLIPWAY_DATA: data,
      XDG_CONFIG_HOME: join(folder, "config"),
      ...env,
    });

  return {
    folder,
    data,
    slipway,
    async json(...args) {
      const { exitCode, stdout, stderr } = await slipway([...args, "--output", "json"]);
      if (exitCode !== 0) throw new Error(`slipway ${args.join(" ")} ended with ${exitCode}: ${stderr}`);
      return JSON.parse(stdout);
    },
    async stop() {
      server.kill("SIGTERM");
      await exited;
      await rm(folder, { recursive: true });
    },
  };
}

/** A program's end; a non-zero exit is a result. */
export function run(
  program: string,
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>>,
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    execFile(program, args, { cwd, env: { ...process.env, ...env } }, (error, stdout, stderr) => {
      const exitCode = error === null ? 0 : error.code;
      if (typeof exitCode === "number") resolve({ exitCode, stdout, stderr });
      else reject(error);
    });
  });
}

/** Two in a row, below those that the kernel hands to outgoing connections: nobody takes them before the server does. */
async function freePorts(): Promise<readonly [number, number]> {
  for (;;) {
    const first = randomInt(15_000, 32_000);
    const servers = [first, first + 1].map((port) => createServer().listen(port, "127.0.0.1"));
    const listening = await Promise.allSettled(servers.map((server) => once(server, "listening")));
    await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    if (listening.every(({ status }) => status === "fulfilled")) return [first, first + 1];
  }
}
