import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** Scripts and applications in Python that the benchmarks run. */
export const pythonFolder = fileURLToPath(new URL("../../python/", import.meta.url));

export interface TrainedModel {
  readonly file: string;
  /** two rows of ten features, or an image */
  readonly rows: readonly (readonly unknown[])[];
  /** what the model says to them, one after the other */
  readonly predictions: readonly number[];
}

/** A ridge regression of ten features, trained by an interpreter that has scikit-learn. */
export async function trainModel(python: string, folder: string): Promise<TrainedModel> {
  return makeModel(python, "train.py", join(folder, "sklearn_regression_model.pkl"));
}

/** The same as an ONNX model, by an interpreter that has skl2onnx, too. */
export async function trainOnnxModel(python: string, folder: string): Promise<TrainedModel> {
  return makeModel(python, "onnx/ridge.py", join(folder, "ridge.onnx"));
}

/** A network like ResNet-50 with random weights, by an interpreter that has ONNX and its runtime; `image.npy` and `logits.npy` beside it. */
export async function makeNetwork(python: string, folder: string): Promise<TrainedModel> {
  return makeModel(python, "onnx/cnn.py", join(folder, "cnn.onnx"));
}

async function makeModel(python: string, script: string, file: string): Promise<TrainedModel> {
  await promisify(execFile)(python, [join(pythonFolder, script), dirname(file)]);
  const sample = JSON.parse(await readFile(join(dirname(file), "sample.json"), "utf8")) as Omit<TrainedModel, "file">;
  return { file, ...sample };
}

/** The form of body that score.py and most servers take. */
export function dataBody({ rows }: TrainedModel): string {
  return JSON.stringify({ data: rows });
}
