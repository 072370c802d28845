import type { WireImageChange, WireImageComparison, WireImageContents } from "@slipway/api";
import type { BaseContents } from "../base/base-contents.ts";
import type { Change, ImageComparison } from "./compare-images.ts";
import type { ImageContents } from "./image-contents.ts";

export function toWireContents(contents: ImageContents): WireImageContents {
  const { base, environment } = contents;
  return {
    ...contents,
    base: base && {
      ...{ reference: base.reference, digest: base.digest, distribution: distributionOf(base.contents) },
      packages: base.contents.packages.map(({ name, version }) => ({ name, version })),
    },
    layers: [...contents.layers],
    environment: environment && {
      ...environment,
      packages: environment.packages.map(({ name, version, licenses, sizeBytes, conda }) => ({
        ...{ name, version, licenses: [...licenses], sizeBytes },
        source: conda === undefined ? "pypi" : "conda",
      })),
    },
    models: [...contents.models],
    code: [...contents.code],
    environmentVariables: { ...contents.environmentVariables },
    proofs: [...contents.proofs],
  };
}

/** `debian 12` */
function distributionOf({ distribution }: BaseContents): string | null {
  return distribution && `${distribution.id} ${distribution.version}`.trim();
}

export function toWireComparison(comparison: ImageComparison): WireImageComparison {
  const changes = (list: readonly Change[]): WireImageChange[] => [...list];
  return {
    ...comparison,
    packages: changes(comparison.packages),
    basePackages: changes(comparison.basePackages),
    models: changes(comparison.models),
    code: changes(comparison.code),
    environmentVariables: changes(comparison.environmentVariables),
    settings: changes(comparison.settings),
  };
}
