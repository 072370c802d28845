import { cp } from "node:fs/promises";
import { join } from "node:path";
import { repository } from "../../e2e/src/harness/installation.ts";
import type { Benchmark } from "./benchmark.ts";
import { bothLoops, LOOP_METRICS, requirePrograms } from "./measure/both-loops.ts";
import { pinSelf, twoCores } from "./measure/cores.ts";
import { pythonPrograms, SCIKIT_LEARN } from "./measure/python-environment.ts";
import { collectRounds, type Measured } from "./measure/rounds.ts";
import { trainModel } from "./measure/trained-model.ts";
import { azuremlServer } from "./servers/azureml-server.ts";
import { answersRight, type Contender } from "./servers/contender.ts";
import { slipwayGateway } from "./servers/slipway-gateway.ts";
import { slipwayScorer } from "./servers/slipway-scorer.ts";
import { startContenders } from "./servers/start-contenders.ts";

const script = join(repository, "examples/diabetes/score.py");
const DEFAULT_WORKERS = 1;
const contenders = [
  withWorkers(DEFAULT_WORKERS),
  slipwayGateway({ cpu: 2 }),
  slipwayScorer({ workers: 2 }),
  withWorkers(2),
  withWorkers(4),
];

export const scoringTwoCores: Benchmark = {
  name: "scoring-two-cores",
  compares: "Requests per second on two cores that servers and load share: Slipway and azureml-inference-server-http.",
  help: `The model, the requests and the loops of \`scoring\`, but every server, its workers and the load may use the same two cores: what the load
takes is lost to all of them alike. Slipway runs two workers, which is what it starts by itself for two CPUs; azureml-inference-server-http is
asked with ${DEFAULT_WORKERS}, its default, and with 2 and 4.

3 rounds of 5 s closed and 5 s open loop, about 3 minutes. --quick: 1 round of 1 s each.`,
  metrics: LOOP_METRICS,
  base: withWorkers(DEFAULT_WORKERS).name,
  async run(context) {
    requirePrograms();
    const [rounds, seconds] = context.quick ? [1, 1] : [3, 5];
    const model = await trainModel(join(await pythonPrograms(SCIKIT_LEARN), "python"), context.folder);
    await cp(script, join(context.folder, "score.py"));
    const cores = twoCores();
    context.resources.defer(() => pinSelf(cores.all));
    const both = `${cores.server},${cores.load}`;
    pinSelf(both);
    const { started, missing } = await startContenders(context, contenders, model, script);

    const lines = await collectRounds(context, rounds, async function* (): AsyncIterable<Measured> {
      for (const { name, address } of started) {
        await answersRight(address, model);
        yield { name, values: await bothLoops(address, seconds) };
      }
    });
    return { lines, missing, facts: { cores: both, packages: SCIKIT_LEARN.join(", ") } };
  },
};

function withWorkers(workers: number): Contender {
  const server = azuremlServer(SCIKIT_LEARN, workers);
  return { ...server, name: `${server.name}, ${workers} ${workers === 1 ? "worker" : "workers"}` };
}
