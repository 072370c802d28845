import { describe, expect, it } from "vitest";
import { exampleFacts, hash } from "./example-proof-facts.ts";
import { provenanceOf } from "./provenance.ts";

describe("the provenance of an image", () => {
  const sbom = { name: "sbom.cdx.json", digest: `sha256:${hash("sbom")}` };

  it("is a statement about the manifest, with every input by its digest", () => {
    const statement = provenanceOf(exampleFacts(), [sbom]);
    expect(statement).toMatchObject({
      _type: "https://in-toto.io/Statement/v1",
      predicateType: "https://slsa.dev/provenance/v1",
      subject: [{ name: "digits", digest: { sha256: hash("manifest") } }],
    });
    const { buildDefinition, runDetails } = statement.predicate;
    expect(buildDefinition.resolvedDependencies.map(({ name, digest }) => [name, digest.sha256])).toEqual([
      ["base", hash("base")],
      ["conda.yml", hash("dependencies:\n  - numpy\n")],
      ["environment.lock", exampleFacts().environment?.lockDigest.replace("sha256:", "")],
      ["azureml-models/digits/1/model.pkl", hash("model")],
      ["code/score.py", hash("score")],
    ]);
    expect(buildDefinition.externalParameters).toMatchObject({
      ...{ models: ["digits:1"], driver: "score.py", base: "python:3.11-slim-bookworm" },
      environmentVariables: { LOG_LEVEL: "debug" },
    });
    expect(buildDefinition.internalParameters).toEqual({
      ...{ environment: hash("environment"), python: "3.11.7", node: "24.21.0" },
      layers: [{ kind: "code", digest: `sha256:${hash("code layer")}` }],
    });
    expect(runDetails).toMatchObject({
      builder: { version: { slipway: "0.1.0" } },
      byproducts: [{ name: "sbom.cdx.json", digest: { sha256: hash("sbom") } }],
    });
  });

  it("says what is not there, and nothing of when or where", () => {
    const { predicate } = provenanceOf({ ...exampleFacts(), base: null, environment: null }, []);
    expect(predicate.buildDefinition.resolvedDependencies.map(({ name }) => name)).toEqual([
      "conda.yml",
      "azureml-models/digits/1/model.pkl",
      "code/score.py",
    ]);
    expect(predicate.buildDefinition.externalParameters.base).toBeNull();
    expect(predicate.runDetails).not.toHaveProperty("metadata");
  });
});
