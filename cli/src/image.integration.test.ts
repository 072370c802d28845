import { cp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Image, ImageComparison, ImageContents, ImageProof, RegistryCredentials } from "@slipway/client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type CliUnderTest, run, startCliUnderTest } from "./cli-fixture.ts";

const iris = fileURLToPath(new URL("../../examples/onnx/iris.onnx", import.meta.url));
const script = "import json\n\n\ndef init():\n    pass\n\n\ndef run(data):\n    return json.loads(data)\n";

let cli: CliUnderTest;
beforeAll(async () => {
  cli = await startCliUnderTest();
  await cp(iris, join(cli.folder, "iris.onnx"));
  await writeFile(join(cli.folder, "words.txt"), "hello".repeat(200_000));
  await writeFile(join(cli.folder, "score.py"), script);
  await succeeds("image", "create", "echo", "--model", "words=words.txt", "--script", "score.py");
  await succeeds("image", "create", "iris", "--model", "iris.onnx");
});
afterAll(() => cli.stop());

async function succeeds(...args: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await cli.slipway(args);
  expect(exitCode, stderr).toBe(0);
  return stdout;
}

test("show draws the layers, the largest at full length, and says who shares them", async () => {
  const text = await succeeds("image", "show", "echo:1");
  expect(text).toMatch(/^Runs +score\.py$/m);
  expect(text).toMatch(/^Proofs +lock, sbom, provenance$/m);
  expect(text).toMatch(/^code +▏ +\d\.\d KiB {2}[0-9a-f]{12} {2}only here$/m);
  expect(text).toMatch(/^model +█{24} +\d+ KiB .* only here {2}words:1$/m);
  const { contents, ...image } = await cli.json<Image & { contents: ImageContents }>("image", "show", "echo:1");
  expect(image).toMatchObject({ id: "echo:1", creationState: "Succeeded", imageDigest: contents.digest });
  expect(contents.code.map(({ path }) => path)).toEqual(["score.py"]);
});

test("show of an image that failed says why, and has no contents", async () => {
  await writeFile(join(cli.folder, "wrong.yml"), "dependencies:\n  - pip:\n      - 'not a requirement at all'\n");
  const args = ["--model", "words", "--script", "score.py", "--conda", "wrong.yml"];
  expect((await cli.slipway(["image", "create", "wrong", ...args])).exitCode).not.toBe(0);
  const shown = await cli.json<Image & { contents: null }>("image", "show", "wrong:1");
  expect(shown).toMatchObject({ creationState: "Failed", contents: null });
  expect(await succeeds("image", "show", "wrong:1")).toContain("not a requirement at all");
});

test("diff names what changed, and shows text as a patch", async () => {
  await writeFile(join(cli.folder, "score.py"), script.replace("return json", "return 2 * json"));
  await writeFile(join(cli.folder, "table.bin"), Buffer.from([1, 0, 2]));
  const files = ["--model", "words", "--script", "score.py", "--dependency", "table.bin"];
  await succeeds("image", "create", "echo", ...files);
  const text = await succeeds("image", "diff", "echo:1", "echo", "--code");
  expect(text).toContain("Code\n~ score.py\n+ table.bin");
  expect(text).toContain("--- a/score.py\n+++ b/score.py\n@@ -6,4 +6,4 @@");
  expect(text).toContain("\n-    return json.loads(data)\n+    return 2 * json.loads(data)\n");
  expect(text).toContain("table.bin: large or binary, not shown.");
  const comparison = await cli.json<ImageComparison>("image", "diff", "echo:1", "iris:1");
  expect(comparison.models).toEqual([
    { name: "iris", from: null, to: "1" },
    { name: "words", from: "1", to: null },
  ]);
  expect(comparison.settings).toContainEqual({ name: "runtime", from: "python", to: "onnx" });
});

test("rebuild of unchanged inputs is the same image under the next version", async () => {
  const text = await succeeds("image", "rebuild", "iris:1");
  expect(text).toContain("iris:1 and iris:2 are the same image, byte by byte.");
  const [newest, first] = await cli.json<Image[]>("image", "list", "--name", "iris");
  expect(newest).toMatchObject({ id: "iris:2", imageDigest: first?.imageDigest });
});

test("proofs are in the registry as referrers, and on standard output as they are", async () => {
  const proofs = await cli.json<ImageProof[]>("image", "proofs", "iris:1");
  expect(proofs.map(({ type }) => type)).toEqual(["sbom", "provenance"]);
  const sbom = await succeeds("image", "proofs", "iris:1", "--type", "sbom");
  expect(JSON.parse(sbom)).toMatchObject({ bomFormat: "CycloneDX", specVersion: "1.6" });
  const missing = await cli.slipway(["image", "proofs", "iris:1", "--type", "lock"]);
  expect(missing.exitCode).toBe(3);
  expect(missing.stderr).toContain("ProofNotFound");

  const { imageDigest, imageLocation } = await cli.json<Image>("image", "show", "iris:1");
  const { username, passwords } = await cli.json<RegistryCredentials>("registry", "credentials", "show");
  const [, host, repository] = /^([^/]+)\/(.+):1$/.exec(imageLocation ?? "") ?? [];
  const url = `https://${host}/v2/${repository}/referrers/${imageDigest}`;
  const trust = ["--cacert", join(cli.data, "tls", "ca.pem"), "--user", `${username}:${passwords[0]?.value}`];
  const answer = await run("curl", ["--silent", "--fail", ...trust, url], cli.folder, {});
  expect(answer.exitCode, answer.stderr).toBe(0);
  const { manifests } = JSON.parse(answer.stdout) as { manifests: { digest: string; artifactType: string }[] };
  const pairs = manifests.map(({ artifactType, digest }) => ({ artifactType, digest }));
  expect(pairs.sort((one, other) => (one.artifactType < other.artifactType ? -1 : 1))).toEqual(
    proofs.map(({ artifactType, digest }) => ({ artifactType, digest })),
  );
});
