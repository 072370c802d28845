import { cp } from "node:fs/promises";
import { join } from "node:path";
import type { Context, Outcome } from "../benchmark.ts";
import { answersRight, type Contender } from "../servers/contender.ts";
import { startContenders } from "../servers/start-contenders.ts";
import { bothLoops, requirePrograms } from "./both-loops.ts";
import { pinSelf, twoCores } from "./cores.ts";
import { callsInProcess } from "./in-process.ts";
import { collectRounds, type Measured } from "./rounds.ts";
import type { TrainedModel } from "./trained-model.ts";

export interface OneCoreRun {
  readonly contenders: readonly Contender[];
  /** the score.py that all of them run */
  readonly script: string;
  /** trains the model; `python` is the interpreter that asks it in a loop without any server */
  prepare(): Promise<{ readonly model: TrainedModel; readonly python: string }>;
  readonly packages: readonly string[];
}

/** All servers at once on one core, asked one after the other from another core, in both loops. */
export async function runOnOneCore(context: Context, run: OneCoreRun): Promise<Outcome> {
  requirePrograms();
  const [rounds, seconds] = context.quick ? [1, 1] : [3, 5];
  const { model, python } = await run.prepare();
  await cp(run.script, join(context.folder, "score.py"));
  const cores = twoCores();
  context.resources.defer(() => pinSelf(cores.all));
  pinSelf(cores.server);
  const { started, missing } = await startContenders(context, run.contenders, model, run.script);
  pinSelf(cores.load);

  const lines = await collectRounds(context, rounds, async function* (): AsyncIterable<Measured> {
    for (const { name, address } of started) {
      await answersRight(address, model);
      yield { name, values: await bothLoops(address, seconds) };
    }
    const calls = await callsInProcess(python, model, seconds, cores.server);
    yield { name: "limit: run() in a loop", values: { "requests/s": calls } };
  });
  return {
    lines,
    missing,
    facts: { "server core": cores.server, "load core": cores.load, packages: run.packages.join(", ") },
  };
}
