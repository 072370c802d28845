// A Slipway server of one's own: own data folder, free ports, stopped when it is no longer needed.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const READY = "Slipway is ready at";
const program = fileURLToPath(new URL("../../cli/bin/slipway.js", import.meta.url));
const START_MS = 60_000;
/** Services drain before they stop; after that long something hangs. */
const STOP_MS = 60_000;

/** Resolves when `slipway up` says that it is ready. */
export async function startServer(data, signal) {
  const [port, gatewayPort] = await freePorts(2);
  const ports = ["--port", String(port), "--gateway-port", String(gatewayPort)];
  // In a group of its own: Ctrl-C comes to us, and we stop it when the requests that run have ended.
  const child = spawn(process.execPath, [program, "up", "--data", data, ...ports], {
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = once(child, "exit");
  const output = [];
  const ready = new Promise((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        output.push(line);
        if (line.startsWith(READY)) resolve("ready");
      });
    }
  });
  const aborted = new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));

  async function stop() {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGTERM");
    const timer = setTimeout(() => process.kill(-child.pid, "SIGKILL"), STOP_MS);
    await exited;
    clearTimeout(timer);
  }

  const late = new Promise((resolve) => setTimeout(resolve, START_MS, "late").unref());
  const outcome = await Promise.race([ready, exited, aborted, late]);
  if (outcome === "ready") return { stop };
  await stop();
  signal.throwIfAborted();
  throw new Error(`Slipway did not start.\n${output.slice(-20).join("\n")}`);
}

/** Held open together, so that they differ. */
async function freePorts(count) {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
