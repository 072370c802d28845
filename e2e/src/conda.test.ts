import { fileFromText, type SlipwayClient } from "@slipway/client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { serveTestChannel, type TestChannel } from "../../server/src/environment/conda/conda-test-channel.ts";
import { pythonModule, pythonPackage } from "../../server/src/environment/conda/conda-test-python.ts";
import { type Installation, startInstallation } from "./harness/installation.ts";
import { sdk } from "./harness/sdk.ts";

/** A conda file that only conda can satisfy, from its channel to the answer of the service. */
let channel: TestChannel;
let slipway: Installation;
let client: SlipwayClient;

const SCRIPT = `
import os, subprocess, sys
import six, tool

def init():
    pass

def run(data):
    command = subprocess.check_output(["tool"]).decode().strip()
    return {"prefix": sys.prefix, "word": tool.word(), "command": command, "six": bool(six.__version__)}
`;
const CONDA_FILE = "dependencies:\n  - conda-only-tool=1.2\n  - pip:\n    - six\n";

beforeAll(async () => {
  channel = await serveTestChannel([
    await pythonPackage(),
    {
      ...{ name: "conda-only-tool", version: "1.2", noarch: "python", depends: ["python", "conda-only-words"] },
      entryPoints: ["tool = tool:main"],
      files: pythonModule(
        "tool",
        "1.2",
        "import os, sys\n\ndef word():\n    return open(os.path.join(sys.prefix, 'share/words')).read()\n\ndef main():\n    print('ran ' + word())\n",
      ),
    },
    { name: "conda-only-words", version: "3", depends: ["__glibc >=2.17"], files: { "share/words": "from conda" } },
  ]);
  slipway = await startInstallation(["--conda-channel-mirror", `conda-forge=${channel.address}`]);
  client = await sdk(slipway);
});
afterAll(async () => {
  await slipway?.dispose();
  await channel?.close();
});

async function build(script: string) {
  const image = await client.images.create({
    name: "conda",
    models: [(await client.models.register({ name: "m", files: [fileFromText("m.txt", "m")] })).id],
    script: fileFromText("score.py", script),
    condaFile: fileFromText("env.yml", CONDA_FILE),
  });
  await client.operations.wait(image.operationId);
  return client.images.get(image.imageId);
}

test("a conda environment is solved, built into an image, and serves from its place in images", async () => {
  const image = await build(SCRIPT);
  expect(image.properties).toMatchObject({ "slipway.resolver": "conda" });
  const { operationId } = await client.services.create({ name: "conda", imageId: image.id, cpu: 0.5, memoryInGB: 0.5 });
  await client.operations.wait(operationId);
  const answer = { prefix: "/opt/env", word: "from conda", command: "ran from conda", six: true };
  expect(await client.services.score("conda", {})).toEqual(answer);

  // Its channel is gone: what is locked needs it no more.
  await channel.close();
  const next = await build(`${SCRIPT}\n# another version\n`);
  expect(next.properties).toMatchObject({
    "slipway.resolver": "conda",
    "slipway.environment": image.properties["slipway.environment"],
  });
  const update = await client.services.update("conda", { imageId: next.id });
  await client.operations.wait(update?.operationId ?? "");
  expect(await client.services.score("conda", {})).toEqual(answer);
});
