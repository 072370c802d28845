import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Installation, repository, run, startInstallation } from "./harness/installation.ts";
import { linearModel, linearScript } from "./harness/linear-model.ts";
import { buildImage, sdk, trusting } from "./harness/sdk.ts";

/** The interpreter with tritonclient and kserve; `npm test` installs it and names it here. */
const python = process.env.SLIPWAY_TEST_INFERENCE_PYTHON ?? "";

/** The promise "the genuine clients of the Open Inference Protocol work", through the gateway with TLS and keys. */
describe.skipIf(python === "")("the Open Inference Protocol", () => {
  let slipway: Installation;
  let folder: string;
  const keys = new Map<string, string>();

  beforeAll(async () => {
    slipway = await startInstallation();
    folder = await mkdtemp(join(tmpdir(), "slipway-inference-"));
    const model = join(folder, "linear.onnx");
    await writeFile(model, linearModel);
    const deployed = await slipway.slipway(["service", "deploy", "served-onnx", "--model", model, "--auth"]);
    expect(deployed.code, deployed.output).toBe(0);
    const client = await sdk(slipway);
    const imageId = await buildImage(client, "served-python", linearScript);
    const { operationId } = await client.services.create({
      ...{ name: "served-python", imageId, authEnabled: true, cpu: 0.5, memoryInGB: 0.5 },
    });
    await client.operations.wait(operationId);
    for (const name of ["served-onnx", "served-python"]) {
      keys.set(name, (await client.services.keys(name)).primaryKey);
    }
  });
  afterAll(async () => {
    await slipway?.dispose();
    await rm(folder, { recursive: true, force: true });
  });

  test.each(["triton", "kserve"])(
    "%s's clients agree with an ONNX model and a score.py, over REST and gRPC",
    async (name) => {
      const { host } = new URL(slipway.gatewayUrl);
      const script = join(repository, `e2e/python/${name}_clients.py`);
      const services = [...keys].flat();
      const { code, output } = await run([
        ...[python, "-W", "ignore", script, host, join(slipway.dataFolder, "tls/ca.pem"), ...services],
      ]);
      expect(code, output).toBe(0);
      expect(output.match(/agrees with/g)).toHaveLength(4);
    },
  );

  test("has CSV beside it, for callers of /invocations", async () => {
    const fetch = await trusting(slipway);
    for (const [name, key] of keys) {
      const response = await fetch(`${slipway.gatewayUrl}/api/v1/service/${name}/invocations`, {
        method: "POST",
        body: "1,2,3\n4,5,6\n",
        headers: { "content-type": "text/csv", accept: "text/csv", authorization: `Bearer ${key}` },
      });
      expect([response.status, await response.text()], name).toEqual([200, "31,302\n64,605\n"]);
    }
  });
});

test("the curl line of examples/onnx answers as the page says", async () => {
  const example = join(repository, "examples/onnx");
  const page = await readFile(join(example, "README.md"), "utf8");
  const [, line = "", answer = ""] = /```sh\n(curl [\s\S]+?)\n```\n\n```json\n([\s\S]+?)\n```/.exec(page) ?? [];
  const slipway = await startInstallation();
  try {
    const deployed = await slipway.slipway(["service", "deploy", "iris", "--model", join(example, "iris.onnx")]);
    expect(deployed.code, deployed.output).toBe(0);
    const here = line
      .replace("~/.slipway", slipway.dataFolder)
      .replace("https://localhost:8444", slipway.gatewayUrl)
      .replace("curl", "curl --silent");
    const { stdout, output } = await run(["sh", "-c", here]);
    const shown = JSON.parse(answer);
    const [label, probabilities] = shown.outputs;
    const got = JSON.parse(stdout);
    expect(got, output).toMatchObject({ ...shown, outputs: [label, { ...probabilities, data: expect.any(Array) }] });
    const rounded = got.outputs[1].data.map((value: number) => Math.round(value * 100) / 100);
    expect(rounded).toEqual(probabilities.data);
  } finally {
    await slipway.dispose();
  }
});
