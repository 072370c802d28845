import { execFile } from "node:child_process";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { pinned } from "./cores.ts";
import { dataBody, pythonFolder, type TrainedModel } from "./trained-model.ts";

/** Calls per second of run() in a loop without any server, on one core. The model's folder holds its `score.py`. */
export async function callsInProcess(
  python: string,
  model: TrainedModel,
  seconds: number,
  core: number,
): Promise<number> {
  const folder = dirname(model.file);
  const command = [python, join(pythonFolder, "in_process.py"), folder, String(seconds), dataBody(model)];
  const [program = "", ...args] = pinned(core, command);
  const { stdout } = await promisify(execFile)(program, args, { env: { ...process.env, AZUREML_MODEL_DIR: folder } });
  return Number(stdout);
}
