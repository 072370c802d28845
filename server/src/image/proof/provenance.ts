import { createHash } from "node:crypto";
import { modelFolder } from "../image.ts";
import type { ProofFacts } from "./image-proof.ts";

export const PREDICATE_TYPE = "https://slsa.dev/provenance/v1";

/** in-toto attestation framework, "ResourceDescriptor" */
interface ResourceDescriptor {
  readonly name: string;
  readonly digest: { readonly sha256: string };
  readonly uri?: string;
}

/**
 * How an image came to be: an in-toto statement (version 1) whose predicate is SLSA provenance (version 1). It has no times and
 * no id of the run, so the same image has the same provenance.
 *
 * @param byproducts documents that were made on the way
 */
export function provenanceOf(
  facts: ProofFacts,
  byproducts: readonly { readonly name: string; readonly digest: string }[],
) {
  const { image, plan, base, environment, runtime } = facts;
  return {
    _type: "https://in-toto.io/Statement/v1",
    subject: [descriptor(image.name, facts.digest)],
    predicateType: PREDICATE_TYPE,
    predicate: {
      buildDefinition: {
        buildType: "urn:slipway:build-image:v1",
        externalParameters: {
          name: image.name,
          runtime: plan.runtime,
          models: plan.models.map((model) => model.id),
          driver: plan.driver,
          condaFile: plan.condaFile,
          pipRequirements: plan.pipRequirements,
          dockerSteps: plan.dockerSteps ?? null,
          environmentVariables: image.environmentVariables,
          base: base?.reference ?? null,
        },
        internalParameters: {
          environment: environment?.id ?? null,
          python: environment?.pythonVersion ?? null,
          node: runtime.node?.version ?? null,
          layers: facts.layers.map(({ kind, digest }) => ({ kind, digest })),
        },
        resolvedDependencies: [...inputs(facts)],
      },
      runDetails: {
        builder: {
          id: "urn:slipway:builder",
          version: { slipway: facts.slipway },
        },
        byproducts: byproducts.map(({ name, digest }) => descriptor(name, digest)),
      },
    },
  };
}

/** Everything that went in, by digest, in the order in which it lies in the image. */
function* inputs({ base, environment, plan }: ProofFacts): Iterable<ResourceDescriptor> {
  if (base !== null) yield { ...descriptor("base", base.digest), uri: `docker://${base.reference}` };
  for (const [name, text] of [
    ["conda.yml", plan.condaFile],
    ["requirements.txt", plan.pipRequirements],
  ] as const) {
    if (text !== null) yield descriptor(name, `sha256:${createHash("sha256").update(text).digest("hex")}`);
  }
  if (environment !== null) yield descriptor("environment.lock", environment.lockDigest);
  for (const model of plan.models) {
    for (const { path, digest } of model.files) yield descriptor(`${modelFolder(model)}/${path}`, digest);
  }
  for (const { path, digest } of plan.code) yield descriptor(`code/${path}`, digest);
}

/** @param digest `sha256:…` */
function descriptor(name: string, digest: string): ResourceDescriptor {
  return { name, digest: { sha256: digest.replace("sha256:", "") } };
}
