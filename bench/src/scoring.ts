import { join } from "node:path";
import { repository } from "../../e2e/src/harness/installation.ts";
import type { Benchmark } from "./benchmark.ts";
import { LOOP_METRICS, PER_SECOND } from "./measure/both-loops.ts";
import { runOnOneCore } from "./measure/one-core-run.ts";
import { pythonPrograms, SCIKIT_LEARN } from "./measure/python-environment.ts";
import { trainModel } from "./measure/trained-model.ts";
import { AZUREML_SERVER, azuremlServer } from "./servers/azureml-server.ts";
import { bentoml } from "./servers/bentoml.ts";
import { litserve } from "./servers/litserve.ts";
import { mlserver } from "./servers/mlserver.ts";
import { nodeEcho } from "./servers/node-echo.ts";
import { slipwayGateway } from "./servers/slipway-gateway.ts";
import { slipwayScorer } from "./servers/slipway-scorer.ts";

const contenders = [azuremlServer(), slipwayGateway(), slipwayScorer(), mlserver, litserve, bentoml, nodeEcho];
const script = join(repository, "examples/diabetes/score.py");

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
  metrics: LOOP_METRICS,
  base: AZUREML_SERVER,
  run: (context) =>
    runOnOneCore(context, {
      contenders,
      script,
      packages: SCIKIT_LEARN,
      async prepare() {
        const python = join(await pythonPrograms(SCIKIT_LEARN), "python");
        return { model: await trainModel(python, context.folder), python };
      },
    }),
};
