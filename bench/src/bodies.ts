import { mkdtemp, readFile } from "node:fs/promises";
import { Agent as HttpAgent, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { freePort, type Installation } from "../../e2e/src/harness/installation.ts";
import { openLoop } from "../../e2e/src/harness/open-loop.ts";
import { buildImage, sdk, trusting } from "../../e2e/src/harness/sdk.ts";
import type { Benchmark, Context, Line } from "./benchmark.ts";
import { ensureDebianPackages } from "./measure/checkout-scripts.ts";
import { pinSelf, twoCores } from "./measure/cores.ts";
import { openIdleConnections, possibleConnections } from "./measure/idle-connections.ts";
import { peakMemoryMiB, resetPeakMemory } from "./measure/process-memory.ts";
import { replicaProcesses } from "./measure/replica-processes.ts";
import { collectRounds, type Measured } from "./measure/rounds.ts";
import { startSlipway } from "./measure/started-slipway.ts";
import { percentile } from "./measure/statistics.ts";
import { ask, startServer } from "./servers/contender.ts";

const BODY_MB = 10;
const AT_ONCE = 4;
const IDLE = 10_000;
const PER_SECOND = 200;
const SERVICE = "bodies";
const SCRIPT = `def init():
    pass

def run(data):
    return data.encode() if data.startswith("echo") else len(data)
`;
const bareNode = fileURLToPath(new URL("./servers/node-bodies-main.ts", import.meta.url));

export const bodies: Benchmark = {
  name: "bodies",
  compares: `Bodies of ${BODY_MB} MB through gateway, scorer and Python worker beside bare Node HTTP, and ${IDLE.toLocaleString("en-US")} idle connections: throughput and memory.`,
  help: `${AT_ONCE} requests at a time, each with a body of ${BODY_MB} MB, to a run() that tells its length or sends it back, through TLS and with a key; and to bare
node:http, which sends it back as it comes. MB/s counts the bodies of the requests. Memory: the largest resident size of a process in each
round (exact, from the kernel). Before that, a gateway of its own gets ${IDLE.toLocaleString("en-US")} TLS connections that have had one answer each and are kept: memory for
each, and the latency of ${PER_SECOND} requests/s beside them. Servers are pinned to one core, the load comes from the other.

4 rounds of 40 requests each, about 3 minutes. --quick: 1 round of 8 requests and 500 connections, about 30 seconds.`,
  metrics: [
    { title: "MB/s", decimals: 0 },
    { title: "gateway peak MiB", decimals: 0 },
    { title: "scorer peak MiB", decimals: 0 },
    { title: "worker peak MiB", decimals: 0 },
    { title: "200/s p50 ms", decimals: 1 },
    { title: "200/s p99 ms", decimals: 1 },
    { title: "failed", decimals: 0 },
    { title: "KiB per connection", decimals: 1 },
  ],
  async run(context) {
    const missing = ensureDebianPackages([
      { name: "util-linux", program: "taskset", why: "it keeps load and servers on cores of their own" },
    ]);
    if (missing.length > 0) throw new Error(`Not installed: ${missing.join(", ")}.`);
    const [rounds, requests, wantedIdle] = context.quick ? [1, 8, 500] : [4, 40, IDLE];
    const cores = twoCores();
    context.resources.defer(() => pinSelf(cores.all));
    pinSelf(cores.server);
    const { slipway, scoringUri, authorization } = await startService(context);
    const port = await startBareNode(context);
    pinSelf(cores.load);

    const idleCount = await possibleConnections(wantedIdle);
    const idle = await besideIdle(context, slipway, { url: scoringUri, authorization }, idleCount);
    const gatewayPid = await freshGateway(slipway);
    const { scorer, worker } = await replicaProcesses(slipway.dataFolder);
    const ca = await readFile(join(slipway.dataFolder, "tls/ca.pem"));
    const agent = new HttpsAgent({ keepAlive: true, ca });
    const bareAgent = new HttpAgent({ keepAlive: true });
    context.resources.defer(() => agent.destroy());
    context.resources.defer(() => bareAgent.destroy());

    const lines = await collectRounds(context, rounds, async function* (): AsyncIterable<Measured> {
      for (const what of ["length", "echo"] as const) {
        const body = Buffer.alloc(BODY_MB * 1_000_000, "x");
        body.write(what);
        const processes = { gateway: gatewayPid, scorer, worker };
        for (const pid of Object.values(processes)) await resetPeakMemory(pid);
        const speed = await megabytesPerSecond(requests, () =>
          post(httpsRequest, scoringUri, { agent, headers: { authorization } }, body, what),
        );
        const peaks: Record<string, number> = {};
        for (const [name, pid] of Object.entries(processes)) peaks[`${name} peak MiB`] = await peakMemoryMiB(pid);
        yield { name: `${what}: Slipway, with TLS and key`, values: { "MB/s": speed, ...peaks } };
        const url = `http://127.0.0.1:${port}/${what}`;
        const bare = await megabytesPerSecond(requests, () => post(httpRequest, url, { agent: bareAgent }, body, what));
        yield { name: `${what}: bare Node HTTP`, values: { "MB/s": bare } };
      }
    });
    const facts = { "server core": cores.server, "load core": cores.load, "idle connections": idleCount };
    return { lines: [...lines, ...idle], facts };
  },
};

async function startService(context: Context) {
  const slipway = await startSlipway(context);
  const client = await sdk(slipway);
  const imageId = await buildImage(client, SERVICE, SCRIPT);
  const settings = { name: SERVICE, imageId, cpu: 1, memoryInGB: 1, authEnabled: true };
  await client.operations.wait((await client.services.create(settings)).operationId);
  const { primaryKey } = await client.services.keys(SERVICE);
  const { scoringUri } = await client.services.get(SERVICE);
  return { slipway, scoringUri: scoringUri ?? "", authorization: `Bearer ${primaryKey}` };
}

async function startBareNode(context: Context): Promise<number> {
  const port = await freePort();
  const folder = await mkdtemp(join(context.folder, "bare-"));
  await startServer({ context, folder }, [process.execPath, bareNode, String(port)], async () => {
    await ask({ url: `http://127.0.0.1:${port}/length`, body: "" });
    return true;
  });
  return port;
}

/** The same small requests alone and beside many connections that say nothing. */
async function besideIdle(
  { quick, say }: Context,
  slipway: Installation,
  service: { readonly url: string; readonly authorization: string },
  count: number,
): Promise<readonly Line[]> {
  const address = { ...service, body: "{}", fetch: await trusting(slipway) };
  const pid = await slipway.gatewayPid();
  const latencies = async () => {
    const load = openLoop(() => ask(address).then(() => {}), PER_SECOND);
    await pause(quick ? 1_000 : 5_000);
    const { latenciesMs, failures } = await load.stop();
    const [p50, p99] = [50, 99].map((percent) => [percentile(latenciesMs, percent)]);
    return { "200/s p50 ms": p50 ?? [], "200/s p99 ms": p99 ?? [], failed: [failures.length] };
  };
  await latencies();
  const alone = await latencies();
  const before = await residentKiB(pid);
  const sockets = await openIdleConnections(Number(new URL(service.url).port), count);
  const each = ((await residentKiB(pid)) - before) / count;
  say(`${count} connections are open, ${each.toFixed(1)} KiB each`);
  const beside = await latencies();
  const closed = sockets.filter(({ destroyed }) => destroyed).length;
  for (const socket of sockets) socket.destroy();
  if (closed > 0) throw new Error(`${closed} of ${count} connections did not stay open.`);
  return [
    { name: "small requests alone", values: alone },
    { name: "small requests beside idle connections", values: { ...beside, "KiB per connection": [each] } },
  ];
}

/** What ten thousand connections have left behind is not the bodies' memory. */
async function freshGateway(slipway: Installation): Promise<number> {
  const before = await slipway.gatewayPid();
  process.kill(before, "SIGKILL");
  const deadline = performance.now() + 30_000;
  while (performance.now() < deadline) {
    const now = await slipway.gatewayPid().catch(() => before);
    if (now !== before) return now;
    await pause(50);
  }
  throw new Error("The gateway did not come back within 30 s.");
}

async function residentKiB(pid: number): Promise<number> {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1]);
}

async function megabytesPerSecond(requests: number, send: () => Promise<void>): Promise<number> {
  await send();
  const began = performance.now();
  let left = requests;
  const sendSome = async () => {
    while (left > 0) {
      left -= 1;
      await send();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, sendSome));
  return (requests * BODY_MB * 1000) / (performance.now() - began);
}

/** @throws unless the answer is as long as it must be */
function post(
  request: typeof httpRequest,
  url: string,
  options: Parameters<typeof httpRequest>[1],
  body: Buffer,
  what: "length" | "echo",
): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { ...options, method: "POST" }, (response) => {
      let bytes = 0;
      let text = "";
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes < 1000) text += chunk.toString();
      });
      response.on("error", reject);
      response.on("end", () => {
        const right = what === "echo" ? bytes === body.length : text === String(body.length);
        if (response.statusCode === 200 && right) resolve();
        else reject(new Error(`${url} answered ${response.statusCode} with ${bytes} bytes: ${text.slice(0, 200)}`));
      });
    });
    sent.on("error", reject);
    sent.end(body);
  });
}
