import type { WireImageChange, WireImageComparison, WireImageContents } from "@slipway/api";
import type { Change, ImageComparison } from "./compare-images.ts";
import type { ImageContents } from "./image-contents.ts";

export function toWireContents(contents: ImageContents): WireImageContents {
  const { environment } = contents;
  return {
    ...contents,
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

export function toWireComparison(comparison: ImageComparison): WireImageComparison {
  const changes = (list: readonly Change[]): WireImageChange[] => [...list];
  return {
    ...comparison,
    packages: changes(comparison.packages),
    models: changes(comparison.models),
    code: changes(comparison.code),
    environmentVariables: changes(comparison.environmentVariables),
    settings: changes(comparison.settings),
  };
}
