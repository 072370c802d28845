import { cp, mkdtemp } from "node:fs/promises";
import { basename, join } from "node:path";
import { freePort } from "../../../e2e/src/harness/installation.ts";
import type { Context } from "../benchmark.ts";
import type { TrainedModel } from "../measure/trained-model.ts";
import type { Contender, ScoringAddress, Stage } from "./contender.ts";

export interface Started {
  readonly name: string;
  readonly address: ScoringAddress;
}

/** Each in a folder of its own with the model and the script; one that cannot start here is named with its reason. */
export async function startContenders(
  context: Context,
  contenders: readonly Contender[],
  model: TrainedModel,
  script: string,
): Promise<{ readonly started: readonly Started[]; readonly missing: readonly string[] }> {
  const started: Started[] = [];
  const missing: string[] = [];
  for (const { name, start } of contenders) {
    context.say(`starting ${name}`);
    try {
      started.push({ name, address: await start(await stageFor(context, model, script)) });
    } catch (error) {
      missing.push(`${name}: ${(error as Error).message.trim().split("\n").at(-1)}`);
    }
  }
  return { started, missing };
}

/** A folder of its own with the model and the script, and a port. */
export async function stageFor(context: Context, model: TrainedModel, script: string): Promise<Stage> {
  const folder = await mkdtemp(join(context.folder, "server-"));
  await cp(model.file, join(folder, basename(model.file)));
  await cp(script, join(folder, "score.py"));
  return { context, model, folder, port: await freePort() };
}
