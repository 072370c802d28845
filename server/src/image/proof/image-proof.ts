import type { BaseContents } from "../base/base-contents.ts";
import type { Image, ImagePlan, ProofType } from "../image.ts";
import type { RuntimeContents } from "../runtime/runtime-contents.ts";
import type { EnvironmentContents } from "./environment-contents.ts";

export interface ProofForm {
  /** how registries and their clients tell referrers apart */
  readonly artifactType: string;
  readonly mediaType: string;
  /** name of the file, for clients that write it to a disk */
  readonly title: string;
}

export function proofForm(type: ProofType): ProofForm {
  switch (type) {
    case "lock":
      return { artifactType: "application/vnd.slipway.lock.v1", mediaType: "text/plain", title: "environment.lock" };
    case "sbom":
      return {
        artifactType: "application/vnd.cyclonedx+json",
        mediaType: "application/vnd.cyclonedx+json",
        title: "sbom.cdx.json",
      };
    case "provenance":
      return {
        artifactType: "application/vnd.in-toto+json",
        mediaType: "application/vnd.in-toto+json",
        title: "provenance.intoto.json",
      };
    default:
      return type satisfies never;
  }
}

/**
 * What the documents are written from. Nothing in it depends on when or where the build ran or on the image's version: the same
 * inputs give the same manifest, and one manifest has one set of documents.
 */
export interface ProofFacts {
  readonly image: Pick<Image, "name" | "environmentVariables">;
  /** `sha256:…` of the manifest that the documents are about */
  readonly digest: string;
  readonly plan: ImagePlan;
  readonly layers: readonly { readonly kind: string; readonly title: string; readonly digest: string }[];
  readonly base: { readonly reference: string; readonly digest: string; readonly contents: BaseContents } | null;
  /** null for an image without Python packages of its own */
  readonly environment: {
    readonly id: string;
    readonly pythonVersion: string;
    readonly lock: string;
    readonly lockDigest: string;
    readonly contents: EnvironmentContents;
  } | null;
  readonly runtime: RuntimeContents;
  /** the version of Slipway that built the image */
  readonly slipway: string;
}
