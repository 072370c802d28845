import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** Scripts and applications in Python that the benchmarks run. */
export const pythonFolder = fileURLToPath(new URL("../../python/", import.meta.url));

export interface TrainedModel {
  readonly file: string;
  /** two rows of ten features */
  readonly rows: readonly (readonly number[])[];
  /** what the model says to them */
  readonly predictions: readonly number[];
}

/** A ridge regression of ten features, trained by an interpreter that has scikit-learn. */
export async function trainModel(python: string, folder: string): Promise<TrainedModel> {
  await promisify(execFile)(python, [join(pythonFolder, "train.py"), folder]);
  const sample = JSON.parse(await readFile(join(folder, "sample.json"), "utf8")) as Omit<TrainedModel, "file">;
  return { file: join(folder, "sklearn_regression_model.pkl"), ...sample };
}
