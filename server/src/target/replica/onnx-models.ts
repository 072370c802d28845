import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { ImageBundle } from "../target.ts";
import { bundleIncomplete } from "./replica-errors.ts";

/** Every model that has an `.onnx` file, under the model's name. */
export async function onnxModels(bundle: ImageBundle): Promise<{ name: string; file: string }[]> {
  const found = await Promise.all(
    bundle.models.map(async ({ name, folder }) => {
      const files = (await readdir(folder, { recursive: true }))
        .filter((file) => file.toLowerCase().endsWith(".onnx"))
        .sort((one, other) => one.length - other.length || one.localeCompare(other));
      return files[0] === undefined ? [] : [{ name, file: join(folder, files[0]) }];
    }),
  );
  const models = found.flat();
  if (models.length === 0) throw bundleIncomplete(bundle.imageId, "none of its models has an .onnx file");
  return models;
}
