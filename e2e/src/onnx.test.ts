import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileFromBlob, fileFromText, type SlipwayClient } from "@slipway/client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Installation, repository, startInstallation } from "./harness/installation.ts";
import { sdk } from "./harness/sdk.ts";

/** ONNX both ways: without a script through ONNX Runtime in the scorer, and by Python's onnxruntime inside a score.py. */
let slipway: Installation;
let client: SlipwayClient;
let model: string;
const flowers = [
  [5.1, 3.5, 1.4, 0.2],
  [6.7, 3.0, 5.2, 2.3],
];

beforeAll(async () => {
  slipway = await startInstallation();
  client = await sdk(slipway);
  const bytes = await readFile(join(repository, "examples/onnx/iris.onnx"));
  const registered = await client.models.register({
    name: "iris",
    framework: "Onnx",
    files: [fileFromBlob("iris.onnx", new Blob([bytes]))],
  });
  model = registered.id;
});
afterAll(() => slipway?.dispose());

async function deploy(name: string, image: Parameters<SlipwayClient["images"]["create"]>[0]): Promise<void> {
  const { operationId, imageId } = await client.images.create(image);
  await client.operations.wait(operationId);
  const { operationId: deployment } = await client.services.create({ name, imageId, cpu: 1, memoryInGB: 1 });
  await client.operations.wait(deployment);
}

test("an ONNX model without score.py answers, and says which field of a wrong input is wrong", async () => {
  await deploy("iris-plain", { name: "iris-plain", models: [model] });
  const answer = (await client.services.score("iris-plain", { data: flowers })) as Record<string, unknown>;
  expect(Object.values(answer).flat(3)).toEqual(expect.arrayContaining([0, 2]));
  await expect(client.services.score("iris-plain", { data: [[1, 2]] })).rejects.toThrow(/4/);
  await expect(client.services.score("iris-plain", { other: flowers })).rejects.toThrow(/other/);
});

test("a score.py that uses Python's onnxruntime gives the same classes", async () => {
  const script = `
import json, os
import numpy, onnxruntime

def init():
    global session
    session = onnxruntime.InferenceSession(os.path.join(os.environ["AZUREML_MODEL_DIR"], "iris.onnx"))

def run(raw_data):
    data = numpy.array(json.loads(raw_data)["data"], dtype=numpy.float32)
    return [int(label) for label in session.run(None, {session.get_inputs()[0].name: data})[0].flatten()]
`;
  await deploy("iris-script", {
    name: "iris-script",
    models: [model],
    script: fileFromText("score.py", script),
    condaFile: fileFromText("env.yml", "dependencies:\n  - python=3.11\n  - pip:\n    - onnxruntime\n    - numpy\n"),
  });
  expect(await client.services.score("iris-script", { data: flowers })).toEqual([0, 2]);
});
