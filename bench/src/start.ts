import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { repository } from "../../e2e/src/harness/installation.ts";
import type { Benchmark, Context } from "./benchmark.ts";
import { sharedMemoryMiB } from "./measure/process-memory.ts";
import { pythonPrograms, SCIKIT_LEARN } from "./measure/python-environment.ts";
import { collectRounds, type Measured } from "./measure/rounds.ts";
import { type TrainedModel, trainModel } from "./measure/trained-model.ts";
import { AZUREML_SERVER, azuremlServer } from "./servers/azureml-server.ts";
import { answersRight, ask, type ServerProgram } from "./servers/contender.ts";
import { mlserver } from "./servers/mlserver.ts";
import { runProgram } from "./servers/running-program.ts";
import { slipwayReplica } from "./servers/slipway-replica.ts";
import { stageFor } from "./servers/start-contenders.ts";

const contenders = [azuremlServer(), slipwayReplica, mlserver];
const DEADLINE_MS = 60_000;
/** Between two tries: small beside what is measured. */
const TRY_MS = 5;
const REQUESTS = 50;

export const start: Benchmark = {
  name: "start",
  compares: "From the start of a server program to its first right answer, and the memory that it has then.",
  help: `Starts each server's program with one worker for the scikit-learn model of \`scoring\`, asks every ${TRY_MS} ms until the predictions are right, and
after ${REQUESTS} requests adds up the memory of all its processes: pages that several share count by share (PSS). Slipway's is a replica as its
process target starts it, sandbox and limits included, while its control plane and gateway run. All have been started once before: files
are in memory and bytecode is there.

10 rounds, about 2 minutes. --quick: 2 rounds.`,
  metrics: [
    { title: "first answer s", decimals: 2 },
    { title: "memory MiB", decimals: 0 },
    { title: "failed", decimals: 0 },
  ],
  base: AZUREML_SERVER,
  async run(context) {
    const model = await trainModel(join(await pythonPrograms(SCIKIT_LEARN), "python"), context.folder);
    const script = join(repository, "examples/diabetes/score.py");
    const prepared: { readonly name: string; readonly folder: string; readonly program: ServerProgram }[] = [];
    const missing: string[] = [];
    for (const { name, program } of contenders) {
      try {
        const stage = await stageFor(context, model, script);
        const one = { name, folder: stage.folder, program: await program(stage) };
        await startOnce(context, model, one);
        prepared.push(one);
      } catch (error) {
        missing.push(`${name}: ${(error as Error).message.trim().split("\n").at(-1)}`);
      }
    }
    const lines = await collectRounds(context, context.quick ? 2 : 10, async function* (): AsyncIterable<Measured> {
      for (const one of prepared) yield { name: one.name, values: await startOnce(context, model, one) };
    });
    return { lines, missing, facts: { packages: SCIKIT_LEARN.join(", ") } };
  },
};

async function startOnce(
  context: Context,
  model: TrainedModel,
  { folder, program }: { readonly folder: string; readonly program: ServerProgram },
): Promise<Record<string, number>> {
  const { command, env, address } = program;
  const began = performance.now();
  const running = await runProgram(folder, command, env);
  await using stopping = new AsyncDisposableStack();
  stopping.defer(() => running.stop());
  // What interrupts the benchmark interrupts this start, too.
  context.resources.defer(() => stopping.disposeAsync());
  const first = await running.whileItRuns(untilRight(() => answersRight(address, model), began));
  let failed = 0;
  for (let request = 0; request < REQUESTS; request += 1) await ask(address).catch(() => (failed += 1));
  return { "first answer s": first, "memory MiB": await sharedMemoryMiB(running.pid), failed };
}

/** Seconds since it began. @throws the last failure after the deadline */
async function untilRight(answers: () => Promise<boolean>, began: number): Promise<number> {
  for (;;) {
    try {
      await answers();
      return (performance.now() - began) / 1000;
    } catch (error) {
      if (performance.now() - began > DEADLINE_MS) throw error;
      await pause(TRY_MS);
    }
  }
}
