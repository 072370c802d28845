import { execFile } from "node:child_process";
import { cp, mkdtemp } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import { freePort, repository } from "../../e2e/src/harness/installation.ts";
import { openLoop } from "../../e2e/src/harness/open-loop.ts";
import type { Benchmark, Context } from "./benchmark.ts";
import { ensureDebianPackages } from "./measure/checkout-scripts.ts";
import { closedLoop } from "./measure/closed-loop.ts";
import { pinned, pinSelf, twoCores } from "./measure/cores.ts";
import { pythonPrograms, SCIKIT_LEARN } from "./measure/python-environment.ts";
import { collectRounds, type Measured } from "./measure/rounds.ts";
import { percentile } from "./measure/statistics.ts";
import { pythonFolder, type TrainedModel, trainModel } from "./measure/trained-model.ts";
import { azuremlServer } from "./servers/azureml-server.ts";
import { bentoml } from "./servers/bentoml.ts";
import { answersRight, ask, dataBody, type ScoringAddress } from "./servers/contender.ts";
import { litserve } from "./servers/litserve.ts";
import { mlserver } from "./servers/mlserver.ts";
import { nodeEcho } from "./servers/node-echo.ts";
import { slipwayGateway } from "./servers/slipway-gateway.ts";
import { slipwayScorer } from "./servers/slipway-scorer.ts";

const contenders = [azuremlServer, slipwayGateway, slipwayScorer, mlserver, litserve, bentoml, nodeEcho];
const PER_SECOND = 200;
const WARM_UP_SECONDS = 1;

export const scoring: Benchmark = {
  name: "scoring",
  compares:
    "Requests per second on one core: Slipway with TLS and key, its scorer alone, four other model servers, and the limits.",
  help: `A ridge regression of ten features is asked about two rows. All servers run at the same time, each with one worker, pinned to one core;
the load comes from another core and goes to one server after the other, which must give the right predictions first. Closed loop: wrk
with one thread and 16 connections. Open loop: ${PER_SECOND} requests/s whether or not earlier ones were answered, each latency from the
moment when the request was due. Only Slipway's gateway has TLS and a key to check. The others run with their own settings, but for one
worker and, where a setting does it, no line of log per request. They are installed into environments of their own in the cache folder;
one that cannot be is named and left out. Limits: the same run() in a loop without any server, and bare Node that echoes the body.

3 rounds of 5 s closed and 5 s open loop, about 5 minutes (the first time a minute more). --quick: 1 round of 1 s each, about 1 minute.`,
  metrics: [
    { title: "requests/s", decimals: 0 },
    { title: "p50 ms", decimals: 1 },
    { title: "p99 ms", decimals: 1 },
    { title: "failed", decimals: 0 },
    { title: "200/s p50 ms", decimals: 1 },
    { title: "200/s p99 ms", decimals: 1 },
    { title: "200/s failed", decimals: 0 },
  ],
  base: azuremlServer.name,
  async run(context) {
    requirePrograms();
    const [rounds, seconds] = context.quick ? [1, 1] : [3, 5];
    const python = join(await pythonPrograms(SCIKIT_LEARN), "python");
    const model = await trainModel(python, context.folder);
    await cp(join(repository, "examples/diabetes/score.py"), join(context.folder, "score.py"));
    const cores = twoCores();
    context.resources.defer(() => pinSelf(cores.all));
    pinSelf(cores.server);
    const { started, missing } = await startAll(context, model);
    pinSelf(cores.load);

    const lines = await collectRounds(context, rounds, async function* (): AsyncIterable<Measured> {
      for (const { name, address } of started) {
        await answersRight(address, model);
        yield { name, values: { ...(await closed(address, seconds)), ...(await open(address, seconds)) } };
      }
      const command = pinned(cores.server, [python, join(pythonFolder, "in_process.py")]);
      yield { name: "limit: run() in a loop", values: { "requests/s": await inProcess(command, model, seconds) } };
    });
    return {
      lines,
      missing,
      facts: { "server core": cores.server, "load core": cores.load, packages: SCIKIT_LEARN.join(", ") },
    };
  },
};

function requirePrograms(): void {
  const missing = ensureDebianPackages([
    { name: "wrk", program: "wrk", why: "it makes the load" },
    { name: "util-linux", program: "taskset", why: "it keeps load and servers on cores of their own" },
  ]);
  if (missing.length > 0) throw new Error(`Not installed: ${missing.join(", ")}.`);
}

/** Each in a folder of its own; one that cannot start here is named with its reason. */
async function startAll(context: Context, model: TrainedModel) {
  const started: { readonly name: string; readonly address: ScoringAddress }[] = [];
  const missing: string[] = [];
  for (const { name, start } of contenders) {
    context.say(`starting ${name}`);
    const folder = await mkdtemp(join(context.folder, "server-"));
    await cp(model.file, join(folder, basename(model.file)));
    await cp(join(repository, "examples/diabetes/score.py"), join(folder, "score.py"));
    try {
      started.push({ name, address: await start({ context, model, folder, port: await freePort() }) });
    } catch (error) {
      missing.push(`${name}: ${(error as Error).message.trim().split("\n").at(-1)}`);
    }
  }
  return { started, missing };
}

async function closed(address: ScoringAddress, seconds: number) {
  // Caches fill and code is compiled before anything counts.
  await closedLoop(address, WARM_UP_SECONDS);
  const { requests, failed, seconds: taken, p50Ms, p99Ms } = await closedLoop(address, seconds);
  return { "requests/s": requests / taken, "p50 ms": p50Ms, "p99 ms": p99Ms, failed };
}

async function open(address: ScoringAddress, seconds: number) {
  const load = openLoop(() => ask(address).then(() => {}), PER_SECOND);
  await pause(seconds * 1000);
  const { latenciesMs, failures } = await load.stop();
  const values = { "200/s failed": failures.length };
  if (latenciesMs.length === 0) return values;
  return {
    ...values,
    "200/s p50 ms": percentile(latenciesMs, 50),
    "200/s p99 ms": percentile(latenciesMs, 99),
  };
}

async function inProcess(command: readonly string[], model: TrainedModel, seconds: number): Promise<number> {
  const [program = "", ...args] = [...command, dirname(model.file), String(seconds), dataBody(model)];
  const env = { ...process.env, AZUREML_MODEL_DIR: dirname(model.file) };
  const { stdout } = await promisify(execFile)(program, args, { env });
  return Number(stdout);
}
