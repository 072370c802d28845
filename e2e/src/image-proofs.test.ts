import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Installation, repository, run, startInstallation } from "./harness/installation.ts";
import { type RegistryAccess, registryAccess } from "./harness/registry-access.ts";

const oras = process.env.SLIPWAY_TEST_ORAS ?? "";

/** What is proved beside an image is there for whoever speaks to a registry, and goes along to another place. */
describe.skipIf(oras === "")("oras and the proofs of an image", () => {
  let slipway: Installation;
  let registry: RegistryAccess;
  let folder: string;
  beforeAll(async () => {
    slipway = await startInstallation();
    registry = await registryAccess(slipway);
    folder = await mkdtemp(join(tmpdir(), "slipway-proofs-"));
    const model = join(repository, "examples/onnx/iris.onnx");
    const created = await slipway.slipway(["image", "create", "iris", "--model", model]);
    expect(created.code, created.output).toBe(0);
  });
  afterAll(async () => {
    await slipway?.dispose();
    await rm(folder, { recursive: true, force: true });
  });

  const image = (name: string) => `${registry.server}/default/${name}:1`;
  const trust = () => ["--plain-http=false", "--ca-file", registry.caFile, "-u", registry.username, "--password-stdin"];

  async function call(args: readonly string[]): Promise<string> {
    const finished = await run([oras, ...args], { cwd: folder, input: registry.password });
    expect(finished.code, finished.output).toBe(0);
    return finished.stdout;
  }

  interface Referrer {
    readonly artifactType: string;
    readonly digest: string;
  }
  async function discover(name: string): Promise<readonly Referrer[]> {
    const found = JSON.parse(await call(["discover", ...trust(), "--format", "json", image(name)]));
    const all: readonly Referrer[] = found.referrers ?? found.manifests;
    return [...all].sort((one, other) => (one.artifactType < other.artifactType ? -1 : 1));
  }

  test("are discovered, and pulled as they were written", async () => {
    const [sbom, provenance, ...others] = await discover("iris");
    expect(others).toEqual([]);
    expect([sbom?.artifactType, provenance?.artifactType]).toEqual([
      "application/vnd.cyclonedx+json",
      "application/vnd.in-toto+json",
    ]);
    await call(["pull", ...trust(), `${registry.server}/default/iris@${sbom?.digest}`]);
    const shown = await slipway.slipway(["image", "proofs", "iris:1", "--type", "sbom"]);
    expect(await readFile(join(folder, "sbom.cdx.json"), "utf8")).toBe(shown.stdout);
  });

  test("go along when the image is copied", async () => {
    const before = await discover("iris");
    const both = [
      ...["--from-plain-http=false", "--to-plain-http=false"],
      ...["--from-ca-file", registry.caFile, "--from-username", registry.username],
      ...["--to-ca-file", registry.caFile, "--to-username", registry.username],
      ...["--from-password", registry.password, "--to-password", registry.password],
    ];
    await call(["copy", "--recursive", ...both, image("iris"), image("copies/iris")]);
    expect(await discover("copies/iris")).toEqual(
      before.map((referrer) =>
        expect.objectContaining({ artifactType: referrer.artifactType, digest: referrer.digest }),
      ),
    );
  });
});
