import { execFile } from "node:child_process";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import type { ScoringAddress } from "../servers/contender.ts";
import { pythonFolder, type TrainedModel } from "./trained-model.ts";

/** How the image is sent: Open Inference Protocol with bytes or JSON, or nested lists to the scoring address. */
export type InferenceForm = "binary" | "grpc" | "json" | "score";

interface InferenceLoadResult {
  readonly perSecond: number;
  readonly failed: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** The genuine clients with four connections, each sending the next image when the last one was answered. @throws if an answer is not the model's */
export async function inferenceLoad(
  python: string,
  form: InferenceForm,
  { url, authorization, caFile }: ScoringAddress,
  model: TrainedModel,
  seconds: number,
): Promise<InferenceLoadResult> {
  const base = url.replace(/^https?:\/\//, "").replace(/\/score$/, "");
  const script = join(pythonFolder, "onnx/infer_load.py");
  const args = [form, base, String(seconds), dirname(model.file), basename(model.file, ".onnx")];
  const env = {
    ...process.env,
    ...(authorization !== undefined && { KEY: authorization.replace("Bearer ", "") }),
    ...(caFile !== undefined && { CA_FILE: caFile }),
  };
  const { stdout } = await promisify(execFile)(python, ["-W", "ignore", script, ...args], { env });
  return JSON.parse(stdout) as InferenceLoadResult;
}
